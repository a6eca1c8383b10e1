/* runtime_api.h - commands of HAProxy's runtime API, sent off its threads
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_HAPROXY_RUNTIME_API_H
#define CSRC_HAPROXY_RUNTIME_API_H

#include <stdint.h>

struct channel;
struct queue;
struct worker;

/* Sends <text>, one line of commands, to the listener on <channel> and reads
 * to the end; an EVENT_ANSWER with <request> then carries what came (<data>),
 * or errno as <code>, at most <timeout_ms> after <worker> began. Keeps <queue>
 * and <channel> borrowed until then. Returns 0, or -1 with errno when there is
 * no memory or no thread; no event comes then. Loop thread. */
int command_send(struct worker *worker, struct queue *queue,
                 struct channel *channel, const char *text, uint32_t request,
                 int timeout_ms);

#endif
