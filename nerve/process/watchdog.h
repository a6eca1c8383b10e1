/* watchdog.h - ends the process if its loop hangs
 *
 * ZooKeeper's threads run as long as the process lives. So if the loop hung,
 * everything would stay registered and nothing would be checked. A worker looks
 * whether the loop turns. It counts its own looks and not the time, because
 * there are no looks while the whole process is stopped or the machine sleeps.
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_PROCESS_WATCHDOG_H
#define NERVE_PROCESS_WATCHDOG_H

#include <stdbool.h>

#include <uv.h>

struct log;
struct watchdog;

/* What the worker has seen of a loop: how often it has turned, and how many
 * looks in a row found no new turn. */
struct watch {
    unsigned int turns;
    unsigned int still;
};

/* Looks once: the loop has turned <turns> times so far. Returns whether <limit>
 * looks in a row found no new turn. Pure. */
bool watchdog_look(struct watch *w, unsigned int turns, unsigned int limit);

/* Returns a watchdog that ends the process if <loop> does not turn for
 * <seconds>: it writes a line to <log> and raises SIGABRT. Keeps both borrowed.
 * Owned by the caller, or NULL without memory, descriptors or threads. */
struct watchdog *watchdog_new(uv_loop_t *loop, struct log *log,
                              unsigned int seconds);

/* Waits <seconds> from now on. NULL is allowed. */
void watchdog_use(struct watchdog *w, unsigned int seconds);

/* Ends <w>, which is freed in a later turn of the loop. NULL is allowed. */
void watchdog_close(struct watchdog *w);

#endif
