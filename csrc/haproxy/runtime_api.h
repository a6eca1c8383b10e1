/* runtime_api.h - sends commands to HAProxy's runtime API, reads the answers
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_HAPROXY_RUNTIME_API_H
#define CSRC_HAPROXY_RUNTIME_API_H

#include <stdint.h>

struct channel;
struct commander;
struct queue;

/* Returns what sends commands to the listener on <channel> and puts the answers
 * into <queue>, owned by the caller, or NULL without memory. Keeps both
 * borrowed. Starts no thread. */
struct commander *commander_new(struct queue *queue, struct channel *channel);

/* Waits for the answers that are on their way, closes the connection and frees
 * <c>. NULL is allowed. Loop thread. */
void commander_free(struct commander *c);

/* Sends <text>, one line of commands. An EVENT_ANSWER with <request> follows:
 * its <data> is the whole answer, as if HAProxy had closed the connection after
 * it, or its <code> is the errno of a failure. It comes at most <timeout_ms>
 * after the line's turn has come. Returns 0, or -1 with errno if there is no
 * memory or no thread; then no event follows. Loop thread. */
int commander_send(struct commander *c, const char *text, uint32_t request,
                   int timeout_ms);

/* Closes the connection once the answers have come that are on their way. The
 * next line opens another. An open connection keeps a HAProxy that stops from
 * ending. Loop thread. */
void commander_hang_up(struct commander *c);

#endif
