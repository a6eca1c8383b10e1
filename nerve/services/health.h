/* health.h - rise and fall: folds check results into up or down; counts checks
 * that were not tried
 *
 * Pure: no clock, no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_HEALTH_H
#define NERVE_SERVICES_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum health_state { HEALTH_UNKNOWN = 0, HEALTH_UP, HEALTH_DOWN };

struct health {
    enum health_state state; /* at the start: HEALTH_UNKNOWN */
    unsigned int rise;       /* successes in a row that turn it up; above 0 */
    unsigned int fall;       /* failures in a row that turn it down; above 0 */
    unsigned int streak;     /* results in a row against <state> */
};

/* Folds one check result into <h>. Returns true if the state changed, so that
 * the caller reports only changes. The first result decides at once: a service
 * that starts healthy need not wait for <rise> checks. */
bool health_update(struct health *h, bool passed);

/* The checks of all services that were not tried; zeroed to start with. */
struct untried {
    uint64_t count;          /* since the last line */
    uint64_t quiet_until_ms; /* no line before */
};

/* Counts one more. Once a minute, when it is time for a log line, returns how
 * many there were since the last line; else 0. */
uint64_t untried_add(struct untried *u, uint64_t now_ms);

/* Returns a word for <state>, static. */
const char *health_name(enum health_state state);

#endif
