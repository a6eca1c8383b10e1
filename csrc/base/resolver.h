/* resolver.h - the addresses of names, in a process that has changed its root
 *
 * After a chroot libc's getaddrinfo() finds neither /etc/resolv.conf nor
 * /etc/hosts, and nobody. A resolver keeps what they said when it was made (the
 * name servers, the search list, the options) and the directory of the hosts
 * file open, so that it works after the chroot, after a fork and as another
 * user. It knows these two sources and no other of nsswitch.conf.
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
 * or else those of DNS. Returns NULL, or static words for people that say why
 * there is none. Blocks for some seconds where no name server answers. One
 * thread at a time. */
const char *resolver_find(struct resolver *r, const char *name,
                          resolver_found_fn *found, void *arg);

/* Has resolver_find() ask no further name server: it returns within three
 * seconds, for good. Any thread. */
void resolver_stop(struct resolver *r);

/* Frees <r>, which no thread uses. NULL is allowed. */
void resolver_free(struct resolver *r);

#endif
