/* resolver.h - the addresses of an ensemble's servers, without blocking the
 * loop
 *
 * Each query has a thread of its own: while name servers hang there may be one
 * for each ensemble, and none of them holds up what waits for one of libuv's
 * threads. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_RESOLVER_H
#define NERVE_REGISTER_RESOLVER_H

#include <uv.h>

struct error;
struct resolver;

/* Called with the <numeric> addresses, or NULL and <err>; both are borrowed
 * during the call. */
typedef void resolver_done_fn(void *arg, const char *numeric,
                              const struct error *err);

/* Begins to look up the names in <hosts> ("name:port,..."). Returns the query,
 * valid until <done> or resolver_abandon(), or NULL with <err>. Keeps <arg>
 * borrowed so long. */
struct resolver *resolver_start(uv_loop_t *loop, const char *hosts,
                                resolver_done_fn *done, void *arg,
                                struct error *err);

/* <done> is not called any more. The loop has <r> until its thread ends. NULL
 * is allowed. */
void resolver_abandon(struct resolver *r);

#endif
