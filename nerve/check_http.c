/* check_http.c - passes when a GET is answered by a status from 200 to 399,
 * and by the expected text where one is set
 *
 * The host's name is looked up by the check, never by libcurl, which is told
 * the address; proxy variables are ignored, redirects are not followed, and
 * no connection is used twice.
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nerve/check_type.h"
#include "nerve/config.h"
#include "nerve/curl_loop.h"
#include "nerve/text.h"

#define BODY_MAX 65536 /* bytes of an answer that are looked at */

struct http_check {
    struct check base;
    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned */
    struct curl_slist *address; /* owned; where to connect */
    struct text body;           /* so far, where a text is expected */
    size_t received;
    bool under_way;
};

static bool has_expected(const struct http_check *h) {
    const char *expect = h->base.config->expect;

    return !expect ||
           (h->body.length > 0 && memmem(h->body.data, h->body.length, expect,
                                         strlen(expect)) != NULL);
}

/* Takes a part of the body. Returns 0, which ends the transfer, when no more
 * of it is needed. */
static size_t on_body(char *bytes, size_t one, size_t length, void *arg) {
    struct http_check *h = arg;
    size_t room = BODY_MAX - h->received;
    size_t taken = length < room ? length : room;

    (void)one;
    h->received += taken;
    if (h->base.config->expect)
        text_add(&h->body, bytes, taken);
    if (h->received == BODY_MAX || h->body.failed)
        return 0;
    return h->base.config->expect && has_expected(h) ? 0 : length;
}

/* Says what libcurl's <code> means, in the system's words where it has some.
 */
static const char *why(CURL *easy, CURLcode code) {
    long number = 0;

    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    if (code == CURLE_COULDNT_CONNECT && number)
        return strerror((int)number);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return "no connection within open_timeout";
    if (code == CURLE_UNSUPPORTED_PROTOCOL)
        return "the answer is not HTTP";
    return curl_easy_strerror(code);
}

/* The answer is there, or as much of it as is needed. */
static void judge(struct http_check *h, long status) {
    char text[160];

    if (status < 200 || status >= 400) {
        snprintf(text, sizeof(text), "status %ld", status);
        check_attempt_ended(&h->base, false, text);
    } else if (!has_expected(h)) {
        snprintf(text, sizeof(text),
                 "status %ld, but no \"%.100s\" in the "
                 "answer",
                 status, h->base.config->expect);
        check_attempt_ended(&h->base, false, text);
    } else {
        check_attempt_ended(&h->base, true, NULL);
    }
}

static void on_done(void *arg, CURLcode code) {
    struct http_check *h = arg;
    long status = 0;

    h->under_way = false;
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR)
        judge(h, status);
    else if (code == CURLE_COULDNT_CONNECT)
        check_attempt_refused(&h->base, why(h->easy, code));
    else
        check_attempt_ended(&h->base, false, why(h->easy, code));
}

/* Tells libcurl to connect to <address> whatever the URL says. */
static int use_address(struct http_check *h, const struct addrinfo *address) {
    char host[NI_MAXHOST], port[NI_MAXSERV], target[NI_MAXHOST + 64];

    if (getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host),
                    port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -1;
    snprintf(target, sizeof(target),
             address->ai_family == AF_INET6 ? "::[%s]:%s" : "::%s:%s", host,
             port);
    curl_slist_free_all(h->address);
    h->address = curl_slist_append(NULL, target);
    curl_easy_setopt(h->easy, CURLOPT_CONNECT_TO, h->address);
    return h->address ? 0 : -1;
}

static void attempt_http(struct check *c, const struct addrinfo *address) {
    struct http_check *h = (struct http_check *)c;

    text_close(&h->body);
    h->received = 0;
    if (use_address(h, address) != 0 ||
        curl_loop_add(c->env.curl, h->easy, on_done, h) != 0)
        check_attempt_ended(c, false, "out of memory");
    else
        h->under_way = true;
}

static void cancel_http(struct check *c) {
    struct http_check *h = (struct http_check *)c;

    if (h->under_way)
        curl_loop_remove(c->env.curl, h->easy);
    h->under_way = false;
}

static void close_http(struct check *c) {
    struct http_check *h = (struct http_check *)c;

    cancel_http(c);
    curl_easy_cleanup(h->easy);
    curl_slist_free_all(h->headers);
    curl_slist_free_all(h->address);
    text_close(&h->body);
}

static int set_headers(struct http_check *h) {
    const struct check_config *config = h->base.config;

    for (size_t i = 0; i < config->header_count; i++) {
        struct curl_slist *longer =
            curl_slist_append(h->headers, config->headers[i]);

        if (!longer)
            return -1;
        h->headers = longer;
    }
    curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
    return 0;
}

/* The URL names the host for the Host header; the path goes out as it is
 * written, which a URL's would not. */
static int set_target(struct http_check *h) {
    const struct check_config *config = h->base.config;
    bool bare_ipv6 = strchr(config->host, ':') && config->host[0] != '[';
    struct text url = {0};
    char *joined;

    text_printf(&url, bare_ipv6 ? "http://[%s]:%d/" : "http://%s:%d/",
                config->host, config->port);
    joined = text_take(&url);
    if (!joined)
        return -1;
    curl_easy_setopt(h->easy, CURLOPT_URL, joined);
    curl_easy_setopt(h->easy, CURLOPT_REQUEST_TARGET, config->uri);
    free(joined);
    return 0;
}

static void set_manners(struct http_check *h) {
    CURL *easy = h->easy;

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "nerve/" VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)h->base.config->connect_ms);
}

static int open_http(struct check *c) {
    struct http_check *h = (struct http_check *)c;

    h->easy = curl_easy_init();
    if (!h->easy)
        return -1;
    set_manners(h);
    if (set_headers(h) == 0 && set_target(h) == 0)
        return 0;
    close_http(c);
    return -1;
}

const struct check_type check_http = {
    .size = sizeof(struct http_check),
    .open = open_http,
    .attempt = attempt_http,
    .cancel = cancel_http,
    .close = close_http,
};
