/* schedule.c - when the passes of a service start
 * SPDX-License-Identifier: MIT
 */
#include "nerve/services/schedule.h"

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
