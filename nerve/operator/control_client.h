/* control_client.h - one connection to the control socket: a line in, lines out
 *
 * Loop thread only; the name of the user is looked up on another one.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_CONTROL_CLIENT_H
#define NERVE_OPERATOR_CONTROL_CLIENT_H

#include <stddef.h>

#include <jansson.h>
#include <uv.h>

struct control_client;

/* <asked>: the request has come, <length> bytes, or NULL: it is longer than
 * CONTROL_LINE_MAX. <gone>: the other side has hung up, or all was said after
 * control_client_end(); control_client_close() must follow. */
struct control_client_env {
    uv_loop_t *loop; /* borrowed */
    void (*asked)(void *arg, const char *line, size_t length);
    void (*gone)(void *arg);
    void *arg;
};

/* Accepts a connection to <server>. Returns it, owned by the caller, or NULL;
 * then it is closed. */
struct control_client *
control_client_accept(uv_stream_t *server,
                      const struct control_client_env *env);

/* Returns the user who is connected, borrowed; once <asked> was called. */
const char *control_client_user(const struct control_client *c);

/* Sends <line>, which it takes. Without memory the client is told nothing. */
void control_client_send(struct control_client *c, json_t *line);

/* All is said. */
void control_client_end(struct control_client *c);

/* Closes the connection at once and frees <c>, in a later turn of the loop. */
void control_client_close(struct control_client *c);

#endif
