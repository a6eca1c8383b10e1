/* window.c - how many requests a session may have with its server at once
 * SPDX-License-Identifier: MIT
 */
#include "csrc/zookeeper/window.h"

#define FIRST 8
/* An answer is slow if it takes longer than twice the best one and this, or
 * than a tenth of the session's timeout. */
#define LONGER_US 100000
#define SHARE     10

struct window window_new(size_t most) {
    struct window w = {.size = most < FIRST ? most : FIRST, .most = most};

    return w;
}

/* Returns how long an answer may take before it is slow. A server may be far
 * away, so its best answer is the measure; but a tenth of the timeout is slow
 * wherever the server is. */
static int64_t slow_after_us(const struct window *w, int timeout_ms) {
    int64_t most = (int64_t)timeout_ms * 1000 / SHARE;
    int64_t more = 2 * w->best + LONGER_US;

    return more < most ? more : most;
}

static void shrink(struct window *w, int64_t now_us) {
    w->size = w->size > 1 ? w->size / 2 : 1;
    w->quick = 0;
    w->is_slowed = true;
    w->cut_us = now_us;
}

static void grow(struct window *w) {
    w->quick++;
    if (w->size < w->most && (!w->is_slowed || w->quick >= w->size)) {
        w->size++;
        w->quick = 0;
    }
}

void window_answered(struct window *w, int64_t asked_us, int64_t now_us,
                     int timeout_ms) {
    int64_t took = now_us - asked_us;

    if (w->best == 0 || took < w->best)
        w->best = took > 0 ? took : 1;
    if (took <= slow_after_us(w, timeout_ms))
        grow(w);
    else if (asked_us >= w->cut_us)
        shrink(w, now_us);
}
