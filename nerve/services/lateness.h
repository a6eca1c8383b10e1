/* lateness.h - counts the passes that do not start when they should
 *
 * One for all services. A few late passes are no matter; a line a minute says
 * that this process has too much to do, or too little of a processor. Pure: no
 * clock, no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_LATENESS_H
#define NERVE_SERVICES_LATENESS_H

#include <stdbool.h>
#include <stdint.h>

#include "nerve/measure/histogram.h"

/* What there was since the last line. */
struct late_passes {
    uint64_t late;     /* started late */
    uint64_t worst_ms; /* how late the latest of them was */
    uint64_t left_out; /* the pass before still ran */
};

struct lateness { /* zeroed to start with */
    struct late_passes passes;
    uint64_t quiet_until_ms; /* no line before */
    struct histogram starts; /* how late every pass started, ever */
    uint64_t left_out;       /* ever */
};

/* A pass starts, <late_ms> after it should have. */
void lateness_started(struct lateness *l, uint64_t late_ms);

/* A pass is left out, because the one before still runs. */
void lateness_left_out(struct lateness *l);

/* Returns whether there is something to tell, and the last time was a minute
 * ago. If so <passes> is it, and the counts begin anew. */
bool lateness_tell(struct lateness *l, uint64_t now_ms,
                   struct late_passes *passes);

#endif
