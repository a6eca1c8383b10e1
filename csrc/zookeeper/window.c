/* window.c - how many requests a session may have with its server at once
 * SPDX-License-Identifier: MIT
 */
#include "csrc/zookeeper/window.h"

#define FIRST     8
#define LONGER_US 100000 /* than twice the best is long; at most */
#define SHARE     10     /* of the session's timeout */

struct window window_new(size_t most) {
    struct window w = {.size = most < FIRST ? most : FIRST, .most = most};

    return w;
}

/* A server may be far away: long is measured by its best answer. But a tenth
 * of the timeout is long wherever it is. */
static int64_t is_long(const struct window *w, int timeout_ms) {
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
    if (took <= is_long(w, timeout_ms))
        grow(w);
    else if (asked_us >= w->cut_us)
        shrink(w, now_us);
}
