/* watcher.h - runs the checks of one service and folds them into up or down
 *
 * One pass runs the checks in their order and stops at the first that is down.
 * Passes start at a fixed rate; one that is due while another still runs is
 * left out. A service without checks is up. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_WATCHER_H
#define NERVE_SERVICES_WATCHER_H

#include <stddef.h>
#include <stdint.h>

#include "nerve/checks/push.h"
#include "nerve/measure/histogram.h"
#include "nerve/services/health.h"

struct check_env;
struct log;
struct reporter;
struct service_config;
struct standing;
struct watcher;

/* The results of one check so far. */
struct check_tally {
    uint64_t passed;
    uint64_t failed;
    uint64_t not_tried;
    struct histogram took;
};

/* Returns a watcher of <service> that tells <reporter> what is wanted; keeps
 * all that it is given borrowed. Owned by the caller, or NULL without memory.
 */
struct watcher *watcher_open(const struct check_env *env,
                             const struct service_config *service,
                             struct reporter *reporter, struct log *log);

/* Starts the passes. So that not all services are checked in the same instant,
 * this one takes the place <index> of <count> in the interval. */
void watcher_start(struct watcher *w, size_t index, size_t count);

/* The service, which has a push check, has said <word> of itself, and <reason>,
 * NULL: none. If that is news a pass starts at once, but only one between two
 * that are due. */
void watcher_hear(struct watcher *w, enum push_word word, const char *reason);

/* Takes over only what the service has said of itself, with the silence that
 * there was since then: while nobody could hear it, it did not grow. */
void watcher_hear_again(struct watcher *w, const struct standing *standing);

/* Returns what the service has said last; borrowed from <w>. */
const struct push_report *watcher_heard(const struct watcher *w);

/* Returns for how many milliseconds it has said nothing. */
uint64_t watcher_silence(const struct watcher *w);

/* Returns how many reports of <word> there were. */
uint64_t watcher_reports(const struct watcher *w, enum push_word word);

/* Copies where the checks stand to <standing>, all borrowed until the next turn
 * of the loop, so that another process can go on. */
void watcher_save(const struct watcher *w, struct standing *standing);

/* Goes on where another process was, which checked in the same way. <w> is not
 * started. */
void watcher_restore(struct watcher *w, const struct standing *standing);

/* Ends the pass under way without a result, and starts no other one until
 * watcher_resume(). */
void watcher_pause(struct watcher *w);
void watcher_resume(struct watcher *w);

/* Returns what the service is as far as was reported. */
enum health_state watcher_state(const struct watcher *w);

/* Returns the tally of the check <index> of the service; borrowed from <w>. */
const struct check_tally *watcher_tally(const struct watcher *w, size_t index);

/* Returns how many changes rate_limiting has held back. */
uint64_t watcher_held_back(const struct watcher *w);

/* Ends and frees <w>, in a later turn of the loop. NULL is allowed. */
void watcher_close(struct watcher *w);

#endif
