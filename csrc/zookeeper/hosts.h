/* hosts.h - the list of an ensemble's servers, as the client library wants it
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_HOSTS_H
#define CSRC_ZOOKEEPER_HOSTS_H

#include <stdbool.h>

struct error;
struct resolver;

/* Turns "name:port,..." into numeric addresses in random order, keeping a
 * "/chroot" at the end. May block in DNS: call it at load, or on a worker.
 * Returns the string owned by the caller (free()), or NULL. Hosts that do not
 * resolve are left out while another does. <err> names the hosts that do not,
 * in both cases; it stays empty where all do. Any thread. */
char *hosts_resolve(const char *hosts, struct error *err);

/* The same by <resolver>, which works after a chroot. The thread of that. */
char *hosts_resolve_by(struct resolver *resolver, const char *hosts,
                       struct error *err);

/* Returns a copy of <hosts> without the brackets of IPv6 addresses and without
 * slashes at the end, owned by the caller (free()), or NULL without memory. Any
 * thread. */
char *hosts_copy(const char *hosts);

/* Tells whether <server> of <length> bytes, "host:port", is one of <hosts>,
 * both without brackets. Pure. */
bool hosts_have(const char *hosts, const char *server, size_t length);

/* Tells whether <a> and <b>, both without brackets, are the same servers in any
 * order, with the same chroot. Pure. */
bool hosts_equal(const char *a, const char *b);

/* Puts the first server of <hosts> behind the last; a "/chroot" at the end
 * stays there. Pure. */
void hosts_rotate(char *hosts);

#endif
