/* watcher.h - runs the checks of one service and folds them into up or down
 *
 * One pass runs the checks in their order and stops at the first that is down.
 * Passes start at a fixed rate; one that is due while another still runs is
 * left out. A service without checks is up. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_WATCHER_H
#define NERVE_WATCHER_H

#include <stddef.h>

struct check_env;
struct log;
struct reporter;
struct service_config;
struct watcher;

/* Returns a watcher of <service> that tells <reporter> what is wanted; keeps
 * all that it is given borrowed. Owned by the caller, or NULL without memory.
 */
struct watcher *watcher_open(const struct check_env *env,
                             const struct service_config *service,
                             struct reporter *reporter, struct log *log);

/* Starts the passes. So that not all services are checked in the same instant,
 * this one takes the place <index> of <count> in the interval. */
void watcher_start(struct watcher *w, size_t index, size_t count);

/* Ends and frees <w>, in a later turn of the loop. NULL is allowed. */
void watcher_close(struct watcher *w);

#endif
