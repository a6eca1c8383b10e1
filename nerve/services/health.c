/* health.c - rise and fall: folds check results into up or down; counts checks
 * that were not tried
 * SPDX-License-Identifier: MIT
 */
#include "nerve/services/health.h"

#define QUIET_MS 60000

bool health_update(struct health *h, bool passed) {
    enum health_state wanted = passed ? HEALTH_UP : HEALTH_DOWN;
    unsigned int needed = passed ? h->rise : h->fall;

    if (h->state == wanted) {
        h->streak = 0;
        return false;
    }
    if (h->state != HEALTH_UNKNOWN && ++h->streak < needed)
        return false;
    h->state = wanted;
    h->streak = 0;
    return true;
}

uint64_t untried_add(struct untried *u, uint64_t now_ms) {
    uint64_t count = ++u->count;

    if (now_ms < u->quiet_until_ms)
        return 0;
    u->count = 0;
    u->quiet_until_ms = now_ms + QUIET_MS;
    return count;
}

const char *health_name(enum health_state state) {
    static const char *const names[] = {"unknown", "up", "down"};

    return names[state];
}
