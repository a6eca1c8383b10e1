/* watcher.h - runs the checks of one service and folds them into up or down
 *
 * A pass runs the checks in order and stops at the first one that is down.
 * Passes start at a fixed rate; a pass is left out if the previous one still
 * runs. A service without checks is up. Loop thread only.
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

/* Returns a watcher of <service> that tells <reporter> the result. Keeps all
 * arguments borrowed. Owned by the caller, or NULL without memory. */
struct watcher *watcher_open(const struct check_env *env,
                             const struct service_config *service,
                             struct reporter *reporter, struct log *log);

/* Starts the passes, at place <index> of <count> in the interval, so that not
 * all services are checked in the same instant. */
void watcher_start(struct watcher *w, size_t index, size_t count);

/* Takes a report of the service, which has a push check: <word>, and <reason>
 * or NULL. A report that changes the result starts a pass at once, but only one
 * between two that are due. */
void watcher_hear(struct watcher *w, enum push_word word, const char *reason);

/* Takes over only the last report and the silence after it, which did not grow
 * while nobody could hear the service. */
void watcher_hear_again(struct watcher *w, const struct standing *standing);

/* Returns the service's last report; borrowed from <w>. */
const struct push_report *watcher_heard(const struct watcher *w);

/* Returns for how many milliseconds the service has been silent. */
uint64_t watcher_silence(const struct watcher *w);

/* Returns how many reports of <word> there were. */
uint64_t watcher_reports(const struct watcher *w, enum push_word word);

/* Copies the state of the checks to <standing>, so that another process can
 * continue. All of it is borrowed until the next turn of the loop. */
void watcher_save(const struct watcher *w, struct standing *standing);

/* Continues the same checks for another process. <w> is not started yet. */
void watcher_restore(struct watcher *w, const struct standing *standing);

/* Ends the running pass without a result, and starts no other one until
 * watcher_resume(). */
void watcher_pause(struct watcher *w);
void watcher_resume(struct watcher *w);

/* Returns the state that was last reported. */
enum health_state watcher_state(const struct watcher *w);

/* Returns the tally of the check <index> of the service; borrowed from <w>. */
const struct check_tally *watcher_tally(const struct watcher *w, size_t index);

/* Returns how many changes rate_limiting has throttled. */
uint64_t watcher_throttled(const struct watcher *w);

/* Ends and frees <w>, in a later turn of the loop. NULL is allowed. */
void watcher_close(struct watcher *w);

#endif
