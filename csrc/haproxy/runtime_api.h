/* runtime_api.h - sends commands to HAProxy's runtime API, reads the answers
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_HAPROXY_RUNTIME_API_H
#define CSRC_HAPROXY_RUNTIME_API_H

#include <stdint.h>

struct channel;
struct queue;
struct worker;

/* Sends <text>, one line of commands, to the listener on <channel>. An
 * EVENT_ANSWER with <request> follows: its <data> is the whole answer, or its
 * <code> is the errno of a failure. It comes at most <timeout_ms> after
 * <worker> has begun with it. Keeps <queue> and <channel> borrowed until then.
 * Returns 0, or -1 with errno if there is no memory or no thread; then no event
 * follows. Loop thread. */
int command_send(struct worker *worker, struct queue *queue,
                 struct channel *channel, const char *text, uint32_t request,
                 int timeout_ms);

#endif
