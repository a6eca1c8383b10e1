/* channel.h - the two private channels into HAProxy
 *
 * Both are socket pairs, made at load before HAProxy forks. HAProxy knows each
 * as "sockpair@<fd>". For each connection the side that connects makes another
 * pair and passes one end over the channel (SCM_RIGHTS). There is no file and
 * no port, and all descriptors close on exec.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_HAPROXY_CHANNEL_H
#define CSRC_HAPROXY_CHANNEL_H

struct channel;
struct error;

/* Returns a socket pair, owned by the caller, or NULL with <err>. */
struct channel *channel_new(struct error *err);

/* Closes what is open and frees <c>. NULL is allowed. */
void channel_free(struct channel *c);

/* Returns the <fd> of "sockpair@<fd>", as HAProxy is to be told. */
int channel_fd(const struct channel *c);

/* Receives the descriptor that HAProxy sent over <c> when it connected. Does
 * not block. Returns the descriptor, owned by the caller, or -1 with errno. */
int channel_accept(struct channel *c);

/* Opens a connection to the listener on <c>: makes a pair and sends one end.
 * Returns our end, owned by the caller, or -1 with errno. Any thread, one at
 * a time. */
int channel_connect(struct channel *c);

#endif
