/* grpc_health.h - the bytes of grpc.health.v1.Health/Check, and what an answer
 * means
 *
 * A request is one message with one string, and an answer one message with one
 * enum, so neither needs a library for Protocol Buffers. An answer is untrusted
 * and may come in any pieces. Pure: no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_GRPC_HEALTH_H
#define NERVE_CHECKS_GRPC_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include "nerve/config/model.h"

#define GRPC_HEALTH_PATH "/grpc.health.v1.Health/Check"

#define GRPC_REQUEST_MAX (5 + 3 + GRPC_SERVICE_MAX)

/* A health answer has 2 bytes. A later version may add fields, so there is more
 * room. */
#define GRPC_MESSAGE_MAX 251

/* What has arrived so far; zeroed to start with. */
struct grpc_answer {
    bool is_http2;   /* set by the caller */
    long status;     /* of HTTP; set by the caller */
    char type[64];   /* its content-type */
    char result[16]; /* grpc-status; empty if there was none */
    char words[120]; /* grpc-message */
    unsigned char bytes[5 + GRPC_MESSAGE_MAX];
    size_t length;
    bool overflowed; /* it was longer than <bytes> */
};

/* Writes the request for the health of <service> (NULL: of the whole server) to
 * <out>. Returns its length. */
size_t grpc_request_write(const char *service,
                          unsigned char out[GRPC_REQUEST_MAX]);

/* Takes a <line> of <length> bytes of the headers or the trailers. */
void grpc_answer_add_header(struct grpc_answer *a, const char *line,
                            size_t length);

/* Takes a part of the body. Returns whether there is room for it. */
bool grpc_answer_add_body(struct grpc_answer *a, const void *bytes,
                          size_t length);

/* Tells whether the complete answer says that <service> (or NULL) is SERVING.
 * If not, <reason> says what it is, or what is wrong with the answer. */
bool grpc_answer_judge(const struct grpc_answer *a, const char *service,
                       char *reason, size_t size);

#endif
