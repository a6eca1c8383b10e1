/* channel.h - the two private channels into HAProxy
 *
 * Both are socket pairs made at load, before HAProxy forks, and used by
 * HAProxy as "sockpair@<fd>": it makes a further pair for each connection and
 * passes one end over ours (SCM_RIGHTS). No file, no port, close-on-exec.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_HAPROXY_CHANNEL_H
#define CSRC_HAPROXY_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel;
struct error;
struct event;

/* Returns a socket pair, owned by the caller, or NULL with <err>. */
struct channel *channel_new(struct error *err);

/* Closes what is open and frees <c>. NULL is allowed. */
void channel_free(struct channel *c);

/* Returns the descriptor that HAProxy is told as "sockpair@<fd>". */
int channel_fd(const struct channel *c);

/* Receives the descriptor that HAProxy's connect() sent over <c>, without
 * blocking. Returns it owned by the caller, or -1 with errno. */
int channel_accept(struct channel *c);

/* Opens a connection to the listener on <c>: makes a pair and sends one end.
 * Returns our end, owned by the caller, or -1 with errno. Any thread, one at
 * a time. */
int channel_connect(struct channel *c);

#endif
