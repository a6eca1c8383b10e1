/* watchdog.h - ends the process when its loop hangs
 *
 * ZooKeeper's threads go on for as long as the process lives: with a loop that
 * hangs, everything would stay registered and nothing be checked. So a worker
 * looks whether the loop turns. It counts its own looks, not the time: where
 * the whole process was stopped, or the machine slept, there was no look.
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_PROCESS_WATCHDOG_H
#define NERVE_PROCESS_WATCHDOG_H

#include <stdbool.h>

#include <uv.h>

struct log;
struct watchdog;

/* What is seen of a loop: how often it has turned, and in how many looks in a
 * row it had not. */
struct watch {
    unsigned int turns;
    unsigned int still;
};

/* Looks once: the loop has turned <turns> times so far. Returns whether it has
 * not turned in <limit> looks in a row. Pure. */
bool watchdog_look(struct watch *w, unsigned int turns, unsigned int limit);

/* Returns a watchdog of <loop> that ends the process when it does not turn for
 * <seconds>: a line in <log>, and SIGABRT. Keeps both borrowed. Owned by the
 * caller, or NULL without memory, descriptors or threads. */
struct watchdog *watchdog_new(uv_loop_t *loop, struct log *log,
                              unsigned int seconds);

/* Is patient for so many <seconds> from now on. NULL is allowed. */
void watchdog_use(struct watchdog *w, unsigned int seconds);

/* Ends it; it is freed in a later turn of the loop. NULL is allowed. */
void watchdog_close(struct watchdog *w);

#endif
