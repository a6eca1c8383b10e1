/* http.c - passes if the answer has an expected status and, if set, the
 * expected text
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "csrc/base/text.h"
#include "nerve/checks/check_type.h"
#include "nerve/checks/transfer.h"
#include "nerve/config/model.h"

#define BODY_MAX 65536 /* at most so many bytes of an answer are read */

struct http_check {
    struct check base;
    struct transfer transfer;
    struct text body; /* so far, if a text is expected */
    size_t received;
};

static bool has_expected(const struct http_check *h) {
    const char *expect = h->base.config->expect;

    return !expect ||
           (h->body.length > 0 && memmem(h->body.data, h->body.length, expect,
                                         strlen(expect)) != NULL);
}

/* Takes a part of the body. Returns 0, which ends the transfer, if no more is
 * needed. */
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

static bool is_expected(const struct check_config *config, long status) {
    for (size_t i = 0; i < config->status_count; i++)
        if (status >= config->statuses[i].first &&
            status <= config->statuses[i].last)
            return true;
    return false;
}

/* The answer is complete, or as much of it as is needed. */
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

static void on_done(void *arg, CURLcode code) {
    struct http_check *h = arg;
    long status = 0;

    if (code != CURLE_OK && code != CURLE_WRITE_ERROR) {
        transfer_failed(&h->transfer, &h->base, code, NULL);
        return;
    }
    curl_easy_getinfo(h->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    transfer_give(&h->transfer, &h->base);
    judge(h, status);
}

static void set_method(CURL *easy, const char *method) {
    if (method && strcmp(method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (method)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* The path is sent as it is written; that of a URL would be normalized. */
static void set_request(struct http_check *h) {
    const struct check_config *config = h->base.config;
    CURL *easy = h->transfer.easy;

    set_method(easy, config->method);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, config->uri);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, h);
}

static void attempt_http(struct check *c, const struct addrinfo *address) {
    struct http_check *h = (struct http_check *)c;

    text_close(&h->body);
    h->received = 0;
    if (transfer_take(&h->transfer, c) == 0)
        set_request(h);
    transfer_start(&h->transfer, c, address, on_done);
}

static void cancel_http(struct check *c) {
    transfer_cancel(&((struct http_check *)c)->transfer, c);
}

static void close_http(struct check *c) {
    struct http_check *h = (struct http_check *)c;

    transfer_close(&h->transfer, c);
    text_close(&h->body);
}

static int add_headers(struct http_check *h) {
    const struct check_config *config = h->base.config;
    const char *method = config->method;

    for (size_t i = 0; i < config->header_count; i++)
        if (transfer_add_header(&h->transfer, config->headers[i]) != 0)
            return -1;
    /* Many servers refuse these methods without a length. */
    if (method && (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0))
        return transfer_add_header(&h->transfer, "Content-Length: 0");
    return 0;
}

static int open_http(struct check *c) {
    struct http_check *h = (struct http_check *)c;

    if (transfer_open(&h->transfer, c, "/") == 0 && add_headers(h) == 0)
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
