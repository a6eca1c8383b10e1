/* rate_limit.h - how often a service may change its reported state
 *
 * A token bucket, as in airbnb's nerve: it starts with the tokens of one
 * second, fills at <average_rate> tokens a second up to <max_burst>, and each
 * change takes one. Pure: no clock, no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_RATE_LIMIT_H
#define NERVE_SERVICES_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct rate_config;

struct rate_limit {
    double tokens;
    int64_t filled_ms; /* when it had so many */
};

/* Starts <l> as <config> says, now. */
void rate_limit_start(struct rate_limit *l, const struct rate_config *config,
                      int64_t now_ms);

/* Takes a token. Returns false if there is none. */
bool rate_limit_take(struct rate_limit *l, const struct rate_config *config,
                     int64_t now_ms);

#endif
