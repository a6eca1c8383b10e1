/* drain.c - how long a service that is taken out stays registered
 * SPDX-License-Identifier: MIT
 */
#include "nerve/register/drain.h"

void drain_start(struct drain *d, unsigned int drain_ms) {
    d->out = true;
    d->drain_ms = drain_ms;
}

void drain_end(struct drain *d) { *d = (struct drain){.out = false}; }

bool drain_allows(struct drain *d, bool registered, bool quiet,
                  int64_t now_ms) {
    if (!d->out)
        return true;
    if (!registered || d->drain_ms == 0)
        return false;
    if (!quiet)
        d->quiet_since_ms = 0;
    else if (!d->quiet_since_ms)
        d->quiet_since_ms = now_ms;
    return !d->quiet_since_ms || now_ms - d->quiet_since_ms < d->drain_ms;
}
