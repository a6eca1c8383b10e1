/* grpc.c - passes if a gRPC server answers SERVING to grpc.health.v1, for
 * itself or for one of its services
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "nerve/checks/check_type.h"
#include "nerve/checks/grpc_health.h"
#include "nerve/checks/transfer.h"
#include "nerve/config/model.h"

#define HEADERS_MAX 16384 /* limit of headers and trailers, in bytes */

/* libcurl 7.88 waits for ever if trailers do not fit into this. */
#define READ_SIZE 32768L

struct grpc_check {
    struct check base;
    struct transfer transfer;
    unsigned char request[GRPC_REQUEST_MAX];
    size_t request_length;
    struct grpc_answer answer;
    size_t header_bytes;
};

/* Takes a line of the headers or trailers. Returns 0, which ends the transfer,
 * if there are too many. */
static size_t on_header(char *line, size_t one, size_t length, void *arg) {
    struct grpc_check *g = arg;

    (void)one;
    g->header_bytes += length;
    if (g->header_bytes > HEADERS_MAX)
        return 0;
    grpc_answer_add_header(&g->answer, line, length);
    return length;
}

static size_t on_body(char *bytes, size_t one, size_t length, void *arg) {
    struct grpc_check *g = arg;

    (void)one;
    return grpc_answer_add_body(&g->answer, bytes, length) ? length : 0;
}

/* Explains <code> if libcurl's own words would not help: the answer is not
 * HTTP/2, or the connection ended before it. NULL: libcurl's words are
 * enough. */
static const char *why(const struct grpc_check *g, CURLcode code) {
    switch (code) {
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        if (g->base.config->tls && g->transfer.problem[0])
            return NULL;
        break;
    case CURLE_HTTP2:
    case CURLE_GOT_NOTHING:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        break;
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
        return "the server ended the request before it had answered";
    default:
        return NULL;
    }
    return g->header_bytes > 0
               ? "the server ended the request before it had answered"
               : "no answer in HTTP/2, which gRPC needs";
}

static void judge(struct grpc_check *g) {
    char reason[300];

    if (g->header_bytes > HEADERS_MAX) {
        snprintf(reason, sizeof(reason),
                 "more than %d bytes of headers and trailers", HEADERS_MAX);
        check_attempt_ended(&g->base, CHECK_FAILED, reason);
    } else if (grpc_answer_judge(&g->answer, g->base.config->service, reason,
                                 sizeof(reason))) {
        check_attempt_ended(&g->base, CHECK_PASSED, NULL);
    } else {
        check_attempt_ended(&g->base, CHECK_FAILED, reason);
    }
}

static void on_done(void *arg, CURLcode code) {
    struct grpc_check *g = arg;
    long version = 0;

    if (code != CURLE_OK && code != CURLE_WRITE_ERROR) {
        transfer_failed(&g->transfer, &g->base, code, why(g, code));
        return;
    }
    curl_easy_getinfo(g->transfer.easy, CURLINFO_RESPONSE_CODE,
                      &g->answer.status);
    curl_easy_getinfo(g->transfer.easy, CURLINFO_HTTP_VERSION, &version);
    g->answer.is_http2 = version == CURL_HTTP_VERSION_2_0;
    transfer_give(&g->transfer, &g->base);
    judge(g);
}

/* Without TLS both sides must know that it is HTTP/2; with TLS they agree on
 * it. */
static void set_request(struct grpc_check *g) {
    CURL *easy = g->transfer.easy;

    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     g->base.config->tls
                         ? (long)CURL_HTTP_VERSION_2TLS
                         : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_SIZE);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)g->request_length);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, g->request);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, g);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, g);
}

static void attempt_grpc(struct check *c, const struct addrinfo *address) {
    struct grpc_check *g = (struct grpc_check *)c;

    memset(&g->answer, 0, sizeof(g->answer));
    g->header_bytes = 0;
    if (transfer_take(&g->transfer, c) == 0)
        set_request(g);
    transfer_start(&g->transfer, c, address, on_done);
}

static void cancel_grpc(struct check *c) {
    transfer_cancel(&((struct grpc_check *)c)->transfer, c);
}

static void close_grpc(struct check *c) {
    transfer_close(&((struct grpc_check *)c)->transfer, c);
}

static int open_grpc(struct check *c) {
    static const char *const headers[] = {"Content-Type: application/grpc",
                                          "TE: trailers", "Accept:"};
    struct grpc_check *g = (struct grpc_check *)c;
    int status = transfer_open(&g->transfer, c, GRPC_HEALTH_PATH);

    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        if (status == 0)
            status = transfer_add_header(&g->transfer, headers[i]);
    g->request_length = grpc_request_write(c->config->service, g->request);
    if (status != 0)
        close_grpc(c);
    return status;
}

const struct check_type check_grpc = {
    .size = sizeof(struct grpc_check),
    .open = open_grpc,
    .attempt = attempt_grpc,
    .cancel = cancel_grpc,
    .close = close_grpc,
};
