/* standing.h - the state of a service's checks, to continue in another process
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_STANDING_H
#define NERVE_SERVICES_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nerve/checks/push.h"
#include "nerve/services/health.h"
#include "nerve/services/rate_limit.h"

struct standing {
    enum health_state state; /* of the service, as reported */
    bool throttled;          /* rate_limiting throttled a later change */
    struct rate_limit limit;
    struct push_report report; /* without <since_ms> */
    uint64_t silence_ms;       /* how long the service had been silent */
    struct health *health;     /* of its checks; the user says who owns it */
    size_t count;
};

#endif
