/* histogram.h - how often something took how long
 *
 * Pure: no clock, no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_MEASURE_HISTOGRAM_H
#define NERVE_MEASURE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS 10

/* The upper bounds of the buckets, in microseconds, ascending. A duration that
 * equals a bound counts in the bucket of that bound. Durations above the last
 * bound have a bucket of their own. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS];

struct histogram { /* empty when zeroed */
    uint64_t buckets[HISTOGRAM_BOUNDS + 1];
    uint64_t sum_us;
};

/* Counts a duration of <us> microseconds. */
void histogram_add(struct histogram *h, uint64_t us);

/* Returns how many durations were counted. */
uint64_t histogram_count(const struct histogram *h);

#endif
