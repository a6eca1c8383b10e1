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

/* The upper bounds of the buckets, in microseconds, rising. A bound belongs to
 * its bucket. What is above the last one has a bucket of its own. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS];

struct histogram { /* zeroed to start with */
    uint64_t buckets[HISTOGRAM_BOUNDS + 1];
    uint64_t sum_us;
};

/* Counts one that took <us> microseconds. */
void histogram_add(struct histogram *h, uint64_t us);

/* Returns how many were counted. */
uint64_t histogram_count(const struct histogram *h);

#endif
