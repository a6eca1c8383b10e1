/* schedule.c - when the passes of a service start
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "nerve/measure/histogram.h"
#include "nerve/services/schedule.h"

#define LATE_MS  50 /* less is no problem */
#define QUIET_MS 60000

void lateness_started(struct lateness *l, uint64_t late_ms) {
    histogram_add(&l->starts, late_ms * 1000);
    if (late_ms < LATE_MS)
        return;
    l->passes.late++;
    if (late_ms > l->passes.worst_ms)
        l->passes.worst_ms = late_ms;
}

void lateness_left_out(struct lateness *l) {
    l->passes.left_out++;
    l->left_out++;
}

bool lateness_tell(struct lateness *l, uint64_t now_ms,
                   struct late_passes *passes) {
    if (l->passes.late == 0 && l->passes.left_out == 0)
        return false;
    if (now_ms < l->quiet_until_ms)
        return false;
    *passes = l->passes;
    memset(&l->passes, 0, sizeof(l->passes));
    l->quiet_until_ms = now_ms + QUIET_MS;
    return true;
}

/* The first passes of all services are spread over no more than this. */
#define FIRST_SPREAD_MS 1000

void schedule_start(struct schedule *s, uint64_t interval_ms, size_t index,
                    size_t count, uint64_t now_ms) {
    uint64_t first =
        interval_ms < FIRST_SPREAD_MS ? interval_ms : FIRST_SPREAD_MS;

    s->interval_ms = interval_ms;
    s->due_ms = now_ms + first * index / count;
    s->second_ms = first + (interval_ms - first) * index / count;
}

uint64_t schedule_wait(const struct schedule *s, uint64_t now_ms) {
    return s->due_ms > now_ms ? s->due_ms - now_ms : 0;
}

uint64_t schedule_pass(struct schedule *s, uint64_t now_ms) {
    uint64_t late_ms = now_ms > s->due_ms ? now_ms - s->due_ms : 0;

    s->due_ms += s->second_ms ? s->second_ms : s->interval_ms;
    s->second_ms = 0;
    if (s->due_ms <= now_ms)
        s->due_ms +=
            ((now_ms - s->due_ms) / s->interval_ms + 1) * s->interval_ms;
    return late_ms;
}
