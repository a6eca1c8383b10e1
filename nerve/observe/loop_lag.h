/* loop_lag.h - how late the loop comes to what is due
 *
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OBSERVE_LOOP_LAG_H
#define NERVE_OBSERVE_LOOP_LAG_H

#include <uv.h>

#include "nerve/measure/histogram.h"

struct loop_lag {
    struct histogram *histogram; /* borrowed */
    uv_timer_t timer;
    uint64_t due_ms;
};

/* Looks every second, and counts in <histogram>, which it keeps borrowed until
 * loop_lag_close(). */
void loop_lag_start(struct loop_lag *l, uv_loop_t *loop,
                    struct histogram *histogram);

/* Ends it; <closed> is called when <l> may be freed. */
void loop_lag_close(struct loop_lag *l, uv_close_cb closed);

#endif
