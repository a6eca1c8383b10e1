/* schedule.h - when the passes of a service start
 *
 * At a fixed rate, spread, so that many services are not checked in the same
 * instant: all first passes fall into a second, or into an interval if that is
 * shorter, and from the second pass on each service has a place of its own in
 * the whole interval, which it keeps. Pure: no clock, no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_SCHEDULE_H
#define NERVE_SERVICES_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

struct schedule {
    uint64_t interval_ms;
    uint64_t due_ms;    /* when the next pass starts */
    uint64_t second_ms; /* from the first pass to the second; then 0 */
};

/* Starts <s>, now, at the place <index> of <count>. */
void schedule_start(struct schedule *s, uint64_t interval_ms, size_t index,
                    size_t count, uint64_t now_ms);

/* Returns how long it is until the next pass. */
uint64_t schedule_wait(const struct schedule *s, uint64_t now_ms);

/* A pass starts. Returns how late it is. Those that should have started since
 * (this process was stopped, or got no turn) are left out. */
uint64_t schedule_pass(struct schedule *s, uint64_t now_ms);

#endif
