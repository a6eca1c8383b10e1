/* control_request.h - one request of an operator, from the line to the answer
 *
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_CONTROL_REQUEST_H
#define NERVE_OPERATOR_CONTROL_REQUEST_H

#include <stdbool.h>

#include <uv.h>

struct control_env;
struct control_request;

/* Accepts a connection to <server>; keeps what is in <env> borrowed. Returns
 * the request that is to come over it, owned by the caller, or NULL; then it
 * is closed. */
struct control_request *control_request_new(uv_stream_t *server,
                                            const struct control_env *env);

/* Answers <r> if there is an answer. Returns whether <r> is still needed: else
 * the other side has its answer, or is gone. */
bool control_request_advance(struct control_request *r);

/* Ends and frees <r>, in a later turn of the loop; what it has changed stays
 * so. */
void control_request_close(struct control_request *r);

#endif
