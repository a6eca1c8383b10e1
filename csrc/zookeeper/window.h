/* window.h - how many requests a session may have with its server at once
 *
 * When the sessions of a thousand clients end together, the clients read
 * millions of znodes. Requests to a busy server only wait there, and
 * everybody's pings wait behind them. So a session has no more requests under
 * way than the server answers soon:
 *
 *   at first              one more for each answer
 *   after a slow answer   half as many, once for all requests that were sent
 *   from then on          one more for each window that was answered quickly
 *
 * Pure: the caller gives the times.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_WINDOW_H
#define CSRC_ZOOKEEPER_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
    size_t size;    /* requests at once */
    size_t most;    /* the size never exceeds it */
    size_t quick;   /* answers since it grew last */
    bool is_slowed; /* it was halved, so it grows slowly */
    int64_t best;   /* microseconds of the quickest answer, 0: none yet */
    int64_t cut_us; /* when it was last halved */
};

/* Returns the window of a new connection; <most> above 0. */
struct window window_new(size_t most);

/* Takes note that a request of <asked_us> was answered at <now_us>, in a
 * session of <timeout_ms>. */
void window_answered(struct window *w, int64_t asked_us, int64_t now_us,
                     int timeout_ms);

#endif
