/* schedule.h - when the passes of a service start
 *
 * They start at a fixed rate, and are spread, so that many services are not
 * checked in the same instant. All first passes are within a second, or within
 * an interval if that is shorter. From the second pass on each service has a
 * place of its own in the whole interval, which it keeps. Pure: no clock, no
 * I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_SCHEDULE_H
#define NERVE_SERVICES_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nerve/measure/histogram.h"

/* Counts since the last log line. */
struct late_passes {
    uint64_t late;     /* started late */
    uint64_t worst_ms; /* how late the latest one was */
    uint64_t left_out; /* the pass before still ran */
};

struct lateness { /* zeroed to start with */
    struct late_passes passes;
    uint64_t quiet_until_ms; /* no line before */
    struct histogram
        starts;        /* how late every pass started, since nerve started */
    uint64_t left_out; /* since nerve started */
};

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

/* A pass starts. Returns how late it is. Passes that should have started since
 * then (this process was stopped, or had no turn) are left out. */
uint64_t schedule_pass(struct schedule *s, uint64_t now_ms);

/* A pass starts, <late_ms> after it should have. */
void lateness_started(struct lateness *l, uint64_t late_ms);

/* A pass is left out, because the one before still runs. */
void lateness_left_out(struct lateness *l);

/* Tells whether it is time for a log line: there is something to log, and the
 * last line was a minute ago. If so, <passes> has the counts, and they start
 * again. */
bool lateness_tell(struct lateness *l, uint64_t now_ms,
                   struct late_passes *passes);

#endif
