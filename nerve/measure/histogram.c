/* histogram.c - how often something took how long
 * SPDX-License-Identifier: MIT
 */
#include "nerve/measure/histogram.h"

/* From a check on the same machine to the longest timeouts. */
const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
    1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 1000000, 5000000,
};

void histogram_add(struct histogram *h, uint64_t us) {
    size_t i = 0;

    while (i < HISTOGRAM_BOUNDS && us > histogram_bounds_us[i])
        i++;
    h->buckets[i]++;
    h->sum_us += us;
}

uint64_t histogram_count(const struct histogram *h) {
    uint64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        count += h->buckets[i];
    return count;
}
