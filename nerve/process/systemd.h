/* systemd.h - tells the service manager the state of nerve, as sd_notify(3)
 * does
 *
 * Only if the manager asks for it: NOTIFY_SOCKET for the state, WATCHDOG_USEC
 * for signs of life from the loop. It never waits: a message that the manager
 * does not take at once is lost. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_PROCESS_SYSTEMD_H
#define NERVE_PROCESS_SYSTEMD_H

#include <uv.h>

/* Starts signs of life from <loop> if the manager asks for them. They use
 * <timer>, which the caller closes. */
void notify_open(uv_loop_t *loop, uv_timer_t *timer);

/* nerve is ready; also ends notify_reloading(). */
void notify_ready(void);

/* nerve reads its configuration again, or another binary takes over. */
void notify_reloading(void);

/* nerve has begun to end. */
void notify_stopping(void);

/* Returns the time between two signs of life, in milliseconds: half of what the
 * manager asks for, or 0 if it asks for none. <getenv_fn> reads the
 * environment, <pid> is this process. Pure except for <getenv_fn>. */
uint64_t notify_interval(char *(*getenv_fn)(const char *name), long pid);

#endif
