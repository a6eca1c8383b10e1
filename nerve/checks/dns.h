/* dns.h - the addresses of a host, without blocking the loop
 *
 * Addresses are kept, and looked up again now and then while they are used. So
 * a failing name server fails no check of a host that was known. Loop thread
 * only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_DNS_H
#define NERVE_CHECKS_DNS_H

#include <netdb.h>
#include <uv.h>

struct lookup;

/* Called with the addresses, borrowed until the next lookup_start(), or with
 * NULL and libuv's <status>, which says why there are none. */
typedef void lookup_done_fn(void *arg, const struct addrinfo *addresses,
                            int status);

/* Returns a lookup of <host> and <port>, owned by the caller, or NULL without
 * memory. Keeps <loop> and <arg> borrowed. */
struct lookup *lookup_new(uv_loop_t *loop, const char *host, int port,
                          lookup_done_fn *done, void *arg);

/* Calls <done> once: at once if the addresses are known, else later. */
void lookup_start(struct lookup *l);

/* <done> is not called any more for the last lookup_start(). */
void lookup_cancel(struct lookup *l);

/* Frees <l>, now or when a query in progress has ended. NULL is allowed. */
void lookup_free(struct lookup *l);

#endif
