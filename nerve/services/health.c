/* health.c - rise and fall: folds check results into up or down
 * SPDX-License-Identifier: MIT
 */
#include "nerve/services/health.h"

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

const char *health_name(enum health_state state) {
    static const char *const names[] = {"unknown", "up", "down"};

    return names[state];
}
