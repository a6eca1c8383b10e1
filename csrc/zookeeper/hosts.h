/* hosts.h - the list of an ensemble's servers, as the client library wants it
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_HOSTS_H
#define CSRC_ZOOKEEPER_HOSTS_H

struct error;

/* Turns "name:port,..." into numeric addresses in random order, keeping a
 * "/chroot" at the end. May block in DNS: call it at load, or on a worker.
 * Returns the string owned by the caller (free()), or NULL with <err> naming
 * the host at fault; hosts that do not resolve are left out while another
 * does. Any thread. */
char *hosts_resolve(const char *hosts, struct error *err);

/* Returns a copy of <hosts> without the brackets of IPv6 addresses and without
 * slashes at the end, owned by the caller (free()), or NULL without memory. Any
 * thread. */
char *hosts_copy(const char *hosts);

/* Puts the first server of <hosts> behind the last; a "/chroot" at the end
 * stays there. Pure. */
void hosts_rotate(char *hosts);

#endif
