/* loop_lag.c - how late the loop comes to what is due
 * SPDX-License-Identifier: MIT
 */
#include "nerve/observe/loop_lag.h"

#define INTERVAL_MS 1000

static void on_timer(uv_timer_t *timer) {
    struct loop_lag *l = timer->data;
    uint64_t now = uv_now(timer->loop);

    histogram_add(l->histogram, (now - l->due_ms) * 1000);
    l->due_ms = now + INTERVAL_MS;
    uv_timer_start(timer, on_timer, INTERVAL_MS, 0);
}

void loop_lag_start(struct loop_lag *l, uv_loop_t *loop,
                    struct histogram *histogram) {
    l->histogram = histogram;
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    l->due_ms = uv_now(loop) + INTERVAL_MS;
    uv_timer_start(&l->timer, on_timer, INTERVAL_MS, 0);
}

void loop_lag_close(struct loop_lag *l, uv_close_cb closed) {
    uv_close((uv_handle_t *)&l->timer, closed);
}
