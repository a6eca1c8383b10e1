/* drain.h - how long a service that is taken out stays registered
 *
 * It shows weight 0 first, so that readers send it nothing new, and goes when
 * what it serves has had time to end. Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_DRAIN_H
#define NERVE_REGISTER_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

struct drain {              /* zeroed to start with */
    bool out;               /* it is taken out */
    unsigned int drain_ms;  /* so long it shows weight 0 */
    int64_t quiet_since_ms; /* ZooKeeper has confirmed that; 0: not yet */
};

/* The service is taken out, and drains for <drain_ms> first, or for so long in
 * all if it is draining. */
void drain_start(struct drain *d, unsigned int drain_ms);

/* It is not taken out any more. */
void drain_end(struct drain *d);

/* Tells whether the service may be registered: it is not taken out, or it has
 * still to drain. It is <registered>, and ZooKeeper has confirmed weight 0 if
 * <quiet>. */
bool drain_allows(struct drain *d, bool registered, bool quiet, int64_t now_ms);

#endif
