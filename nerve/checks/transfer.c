/* transfer.c - one request of a check over libcurl, to one address
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "csrc/base/text.h"
#include "nerve/checks/check_type.h"
#include "nerve/checks/transfer.h"
#include "nerve/config/model.h"

#define CA_SECONDS 600L  /* a file of authorities is read again after */
#define READ_SIZE  4096L /* enough for most answers; there may be thousands */

/* The URL names the host for the Host header and for TLS. */
int transfer_open(struct transfer *t, const struct check *c, const char *path) {
    const struct check_config *config = c->config;
    const char *host = config->sni ? config->sni : config->host;
    bool bare_ipv6 = strchr(host, ':') && host[0] != '[';
    struct text url = {0};

    text_printf(&url, bare_ipv6 ? "%s://[%s]:%d%s" : "%s://%s:%d%s",
                config->tls ? "https" : "http", host, config->port, path);
    t->url = text_take(&url);
    return t->url ? 0 : -1;
}

int transfer_add_header(struct transfer *t, const char *line) {
    struct curl_slist *longer = curl_slist_append(t->headers, line);

    if (longer)
        t->headers = longer;
    return longer ? 0 : -1;
}

/* Makes the socket of a transfer: libcurl does not tell why it could not. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose,
                               struct curl_sockaddr *address) {
    struct transfer *t = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                    address->protocol);

    (void)purpose;
    if (fd == -1)
        t->lack = errno;
    return fd == -1 ? CURL_SOCKET_BAD : fd;
}

/* Only an answer proves something, so each one is asked for again. */
static void set_manners(CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_SIZE);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
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

int transfer_take(struct transfer *t, const struct check *c) {
    const struct check_config *config = c->config;

    t->lack = 0;
    t->problem[0] = '\0';
    t->easy = curl_loop_take(c->env.curl);
    if (!t->easy)
        return -1;
    set_manners(t->easy);
    if (config->tls)
        set_tls(t->easy, config);
    curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->problem);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)config->connect_ms);
    return 0;
}

/* Tells libcurl to connect to <address> whatever the URL says. */
static int use_address(struct transfer *t, const struct addrinfo *address) {
    char host[NI_MAXHOST], port[NI_MAXSERV], target[NI_MAXHOST + 64];

    if (getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host),
                    port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -1;
    snprintf(target, sizeof(target),
             address->ai_family == AF_INET6 ? "::[%s]:%s" : "::%s:%s", host,
             port);
    curl_slist_free_all(t->address);
    t->address = curl_slist_append(NULL, target);
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->address);
    return t->address ? 0 : -1;
}

void transfer_start(struct transfer *t, struct check *c,
                    const struct addrinfo *address, curl_loop_done_fn *done) {
    if (t->easy && use_address(t, address) == 0 &&
        curl_loop_add(c->env.curl, t->easy, done, c) == 0)
        return;
    if (t->easy)
        transfer_give(t, c);
    check_attempt_ended(c, CHECK_NOT_TRIED, "out of memory");
}

void transfer_give(struct transfer *t, const struct check *c) {
    curl_loop_give(c->env.curl, t->easy);
    t->easy = NULL;
}

/* Tells whether <code> says nothing of the instance: the file of authorities is
 * ours. libcurl does not tell why it could not read it; without descriptors it
 * cannot either. */
static bool is_our_lack(CURLcode code) {
    return code == CURLE_OUT_OF_MEMORY || code == CURLE_SSL_CACERT_BADFILE;
}

/* Returns what libcurl's <code> means, in the system's words if <number>, the
 * errno, is not 0. */
static const char *why_failed(const struct transfer *t, const struct check *c,
                              CURLcode code, long number) {
    if (code == CURLE_COULDNT_CONNECT && number)
        return strerror((int)number);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return "no connection within open_timeout";
    if (code == CURLE_UNSUPPORTED_PROTOCOL)
        return "the answer is not HTTP";
    if (c->config->tls && t->problem[0])
        return t->problem;
    return curl_easy_strerror(code);
}

void transfer_failed(struct transfer *t, struct check *c, CURLcode code,
                     const char *why) {
    long number = 0;
    enum check_result result =
        is_our_lack(code) ? CHECK_NOT_TRIED : CHECK_FAILED;

    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &number);
    transfer_give(t, c);
    if (t->lack)
        number = t->lack;
    if (!why)
        why = why_failed(t, c, code, number);
    if (code == CURLE_COULDNT_CONNECT)
        check_attempt_refused(c, (int)number, why);
    else
        check_attempt_ended(c, result, why);
}

void transfer_cancel(struct transfer *t, const struct check *c) {
    if (!t->easy)
        return;
    curl_loop_remove(c->env.curl, t->easy);
    transfer_give(t, c);
}

void transfer_close(struct transfer *t, const struct check *c) {
    transfer_cancel(t, c);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->address);
    free(t->url);
}
