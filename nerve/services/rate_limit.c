/* rate_limit.c - how often a service may change its reported state
 * SPDX-License-Identifier: MIT
 */
#include "nerve/services/rate_limit.h"
#include "nerve/config/model.h"

void rate_limit_start(struct rate_limit *l, const struct rate_config *config,
                      int64_t now_ms) {
    l->tokens = config->average_rate;
    l->filled_ms = now_ms;
}

bool rate_limit_take(struct rate_limit *l, const struct rate_config *config,
                     int64_t now_ms) {
    double seconds = (double)(now_ms - l->filled_ms) / 1000;
    double tokens;

    if (!config->limited)
        return true;
    tokens = l->tokens + seconds * config->average_rate;
    if (tokens > config->max_burst)
        tokens = config->max_burst;
    if (tokens < 1)
        return false;
    l->tokens = tokens - 1;
    l->filled_ms = now_ms;
    return true;
}
