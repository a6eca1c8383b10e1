/* window.h - how many requests a session may have with its server at once
 *
 * A thousand clients whose sessions end together ask for millions of znodes.
 * What is asked while the server is busy only waits in the server, and with it
 * everybody's pings. So a session asks for as much as is answered soon:
 *
 *   at first              as many more as were answered
 *   an answer takes long  half as many, once for what was asked until now
 *   from then on          one more for each window that was answered quickly
 *
 * Pure; times are the caller's.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_WINDOW_H
#define CSRC_ZOOKEEPER_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
    size_t size;    /* requests at once */
    size_t most;    /* it never gets above */
    size_t quick;   /* answers since it grew last */
    bool is_slowed; /* it was halved: it grows slowly now */
    int64_t best;   /* microseconds of the quickest answer, 0: none yet */
    int64_t cut_us; /* when it was halved last */
};

/* Returns the window of a new connection; <most> above 0. */
struct window window_new(size_t most);

/* Takes note that what was asked at <asked_us> was answered at <now_us>, in a
 * session of <timeout_ms>. */
void window_answered(struct window *w, int64_t asked_us, int64_t now_us,
                     int timeout_ms);

#endif
