/* hosts_lookup.h - resolve lists of servers without being held up
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_HOSTS_LOOKUP_H
#define CSRC_ZOOKEEPER_HOSTS_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "csrc/base/error.h"

struct queue;
struct resolver;
struct worker;

/* A list of servers, and what was found of it. */
struct hosts_lookup {
    const char *hosts; /* borrowed */
    char *numeric;     /* owned by the caller, or NULL */
    struct error err;  /* as that of hosts_resolve() */
};

/* Resolves <count> lists, all at once, as hosts_resolve() does; those that were
 * not answered within <timeout_ms> have no addresses and an <err> that says so.
 * Blocks. Only while this process has one thread. */
void hosts_look_up(struct hosts_lookup *lookups, size_t count, int timeout_ms);

/* Resolves <hosts> by <resolver> on <worker>; an EVENT_ADDRESSES with <request>
 * comes in <queue>. Copies <hosts>, keeps the others borrowed until then.
 * Returns 0, or -1 with errno. Loop thread. */
int hosts_look_up_later(struct worker *worker, struct queue *queue,
                        struct resolver *resolver, const char *hosts,
                        uint32_t request);

#endif
