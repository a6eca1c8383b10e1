/* http.c - passes when a request is answered by an expected status, and
 * by the expected text where one is set
 *
 * The host's name is looked up by the check, never by libcurl, which is told
 * the address; proxy variables are ignored, redirects are not followed, and
 * no connection and no TLS session is used twice.
 *
 * A check borrows its transfer from the pool of the curl_loop while it runs:
 * there are as many as run at once, not as many as there are checks.
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "csrc/base/text.h"
#include "nerve/checks/check_type.h"
#include "nerve/checks/curl_loop.h"
#include "nerve/config/model.h"

#define BODY_MAX   65536 /* bytes of an answer that are looked at */
#define CA_SECONDS 600L  /* a file of authorities is read again after */
#define READ_SIZE  4096L /* enough for most answers; there may be thousands */

struct http_check {
    struct check base;
    CURL *easy;                 /* of the pool; NULL when none is under way */
    struct curl_slist *headers; /* owned */
    struct curl_slist *address; /* owned; where to connect */
    struct text body;           /* so far, where a text is expected */
    size_t received;
    int lack;  /* errno of a socket that was not to be had */
    char *url; /* owned */
    char problem[CURL_ERROR_SIZE]; /* libcurl's words; empty without any */
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
 * <number> is the system's, or 0. */
static const char *why(const struct http_check *h, CURLcode code, long number) {
    if (code == CURLE_COULDNT_CONNECT && number)
        return strerror((int)number);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return "no connection within open_timeout";
    if (code == CURLE_UNSUPPORTED_PROTOCOL)
        return "the answer is not HTTP";
    if (h->base.config->tls && h->problem[0])
        return h->problem;
    return curl_easy_strerror(code);
}

static bool is_expected(const struct check_config *config, long status) {
    for (size_t i = 0; i < config->status_count; i++)
        if (status >= config->statuses[i].first &&
            status <= config->statuses[i].last)
            return true;
    return false;
}

/* The answer is there, or as much of it as is needed. */
static void judge(struct http_check *h, long status) {
    char text[160];

    if (!is_expected(h->base.config, status)) {
        snprintf(text, sizeof(text), "status %ld", status);
        check_attempt_ended(&h->base, CHECK_FAILED, text);
    } else if (!has_expected(h)) {
        snprintf(text, sizeof(text),
                 "status %ld, but no \"%.100s\" in the "
                 "answer",
                 status, h->base.config->expect);
        check_attempt_ended(&h->base, CHECK_FAILED, text);
    } else {
        check_attempt_ended(&h->base, CHECK_PASSED, NULL);
    }
}

/* Tells whether <code> says nothing of the instance: the file of authorities is
 * ours. libcurl does not tell why it could not read it; without descriptors it
 * cannot either. */
static bool is_our_lack(CURLcode code) {
    return code == CURLE_OUT_OF_MEMORY || code == CURLE_SSL_CACERT_BADFILE;
}

static void on_done(void *arg, CURLcode code) {
    struct http_check *h = arg;
    long status = 0, number = 0;
    enum check_result result =
        is_our_lack(code) ? CHECK_NOT_TRIED : CHECK_FAILED;

    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &number);
    curl_loop_give(h->base.env.curl, h->easy);
    h->easy = NULL;
    if (h->lack)
        number = h->lack;
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR)
        judge(h, status);
    else if (code == CURLE_COULDNT_CONNECT)
        check_attempt_refused(&h->base, (int)number, why(h, code, number));
    else
        check_attempt_ended(&h->base, result, why(h, code, number));
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

/* Makes the socket of a transfer: libcurl does not tell why it could not. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose,
                               struct curl_sockaddr *address) {
    struct http_check *h = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                    address->protocol);

    (void)purpose;
    if (fd == -1)
        h->lack = errno;
    return fd == -1 ? CURL_SOCKET_BAD : fd;
}

/* Only an answer proves something, so each one is asked for again. */
static void set_manners(CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_SIZE);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "nerve/" VERSION);
}

/* The system's authorities are many. Reading the file that holds them all
 * takes longer than a check may, so that of their directory, where libcurl
 * knows of one, only those are read that are asked for. */
static void set_tls(CURL *easy, const struct check_config *config) {
    bool system = config->verify && !config->ca_file;

    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_SECONDS);
    if (!system || curl_version_info(CURLVERSION_NOW)->capath)
        curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file);
    if (!system)
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static void set_method(CURL *easy, const char *method) {
    if (method && strcmp(method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (method)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* Makes the transfer <h->easy>, which is as new, the one of this check. The
 * path goes out as it is written, which a URL's would not. */
static void set_request(struct http_check *h) {
    const struct check_config *config = h->base.config;
    CURL *easy = h->easy;

    set_manners(easy);
    set_method(easy, config->method);
    if (config->tls)
        set_tls(easy, config);
    curl_easy_setopt(easy, CURLOPT_URL, h->url);
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, config->uri);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, h->headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, h->problem);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, h);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_ms);
}

static void attempt_http(struct check *c, const struct addrinfo *address) {
    struct http_check *h = (struct http_check *)c;

    text_close(&h->body);
    h->received = 0;
    h->lack = 0;
    h->problem[0] = '\0';
    h->easy = curl_loop_take(c->env.curl);
    if (h->easy) {
        set_request(h);
        if (use_address(h, address) == 0 &&
            curl_loop_add(c->env.curl, h->easy, on_done, h) == 0)
            return;
        curl_loop_give(c->env.curl, h->easy);
        h->easy = NULL;
    }
    check_attempt_ended(c, CHECK_NOT_TRIED, "out of memory");
}

static void cancel_http(struct check *c) {
    struct http_check *h = (struct http_check *)c;

    if (!h->easy)
        return;
    curl_loop_remove(c->env.curl, h->easy);
    curl_loop_give(c->env.curl, h->easy);
    h->easy = NULL;
}

static void close_http(struct check *c) {
    struct http_check *h = (struct http_check *)c;

    cancel_http(c);
    curl_slist_free_all(h->headers);
    curl_slist_free_all(h->address);
    free(h->url);
    text_close(&h->body);
}

static int add_header(struct http_check *h, const char *line) {
    struct curl_slist *longer = curl_slist_append(h->headers, line);

    if (longer)
        h->headers = longer;
    return longer ? 0 : -1;
}

static int make_headers(struct http_check *h) {
    const struct check_config *config = h->base.config;
    const char *method = config->method;

    for (size_t i = 0; i < config->header_count; i++)
        if (add_header(h, config->headers[i]) != 0)
            return -1;
    /* Without a length many servers refuse these. */
    if (method && (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0))
        return add_header(h, "Content-Length: 0");
    return 0;
}

/* The URL names the host for the Host header and for TLS. */
static int make_url(struct http_check *h) {
    const struct check_config *config = h->base.config;
    const char *host = config->sni ? config->sni : config->host;
    bool bare_ipv6 = strchr(host, ':') && host[0] != '[';
    struct text url = {0};

    text_printf(&url, bare_ipv6 ? "%s://[%s]:%d/" : "%s://%s:%d/",
                config->tls ? "https" : "http", host, config->port);
    h->url = text_take(&url);
    return h->url ? 0 : -1;
}

static int open_http(struct check *c) {
    struct http_check *h = (struct http_check *)c;

    if (make_headers(h) == 0 && make_url(h) == 0)
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
