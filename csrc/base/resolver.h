/* resolver.h - the addresses of names, in a process that has changed its root
 *
 * After a chroot libc's getaddrinfo() finds neither /etc/resolv.conf nor
 * /etc/hosts, and so no name. A resolver keeps the settings that resolv.conf
 * had when it was made (the name servers, the search list, the options), and
 * keeps the directory of the hosts file open. So it works after the chroot,
 * after a fork and as another user. It knows only these two sources of
 * nsswitch.conf.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_RESOLVER_H
#define CSRC_BASE_RESOLVER_H

struct resolver;

/* Is given each address of a name, as text, borrowed for the call. */
typedef void resolver_found_fn(void *arg, const char *address);

/* Returns a resolver with the name servers of /etc/resolv.conf and the names of
 * <directory>/hosts, owned by the caller, or NULL without memory. Before the
 * chroot. */
struct resolver *resolver_new(const char *directory);

/* Calls <found>(<arg>, ...) for each address of <name>, those of the hosts file
 * or else those of DNS. Returns NULL, or a static text that says why there is
 * none. Blocks for some seconds if no name server answers. One thread at a
 * time. */
const char *resolver_find(struct resolver *r, const char *name,
                          resolver_found_fn *found, void *arg);

/* Makes resolver_find() ask no more name servers, now and later: it returns
 * within three seconds. Any thread. */
void resolver_stop(struct resolver *r);

/* Frees <r>, which no thread uses. NULL is allowed. */
void resolver_free(struct resolver *r);

#endif
