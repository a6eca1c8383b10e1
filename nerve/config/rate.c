/* rate.c - a service's rate_limiting, read from JSON
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "nerve/config/keys.h"
#include "nerve/config/rate.h"
#include "nerve/config/read.h"
#include "nerve/config/value.h"
#include "nerve/services/rate_limit.h"

/* Reads a number from <min>. Absent or null, <out> stays as it is. */
static int read_number(const json_t *json, const char *at, const char *key,
                       double min, double *out, struct error *err) {
    const json_t *value = json_object_get(json, key);
    char right[40];

    if (!value || json_is_null(value))
        return 0;
    snprintf(right, sizeof(right), "a number from %g", min);
    if (!json_is_number(value) || json_number_value(value) < min)
        return value_wrong(value, at, key, right, err);
    *out = json_number_value(value);
    return 0;
}

int rate_config_read(struct rate_config *rate, const json_t *json,
                     const char *at, struct config *config, struct error *err) {
    const json_t *limits = NULL;
    char place[320];

    if (value_object(json, at, "rate_limiting", &limits, err) != 0)
        return -1;
    if (!limits)
        return 0;
    snprintf(place, sizeof(place), "%s.rate_limiting", at);
    rate->shadow_mode = true;
    rate->average_rate = rate->max_burst = INFINITY;
    if (read_number(limits, place, "average_rate", 0, &rate->average_rate,
                    err) != 0 ||
        read_number(limits, place, "max_burst", 1, &rate->max_burst, err) !=
            0 ||
        value_boolean(limits, place, "shadow_mode", &rate->shadow_mode, err) !=
            0)
        return -1;
    rate->limited = isfinite(rate->average_rate);
    if (rate->limited && rate->shadow_mode)
        config_note(config, LEVEL_INFO,
                    "%s: shadow_mode is true, so nothing is held back, only "
                    "told",
                    place);
    value_check_keys(config, limits, place, config_keys_rate);
    return 0;
}
