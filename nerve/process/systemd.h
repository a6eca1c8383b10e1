/* systemd.h - tells the service manager how nerve fares, as sd_notify(3) does
 *
 * Only where the manager asks for it: NOTIFY_SOCKET, and WATCHDOG_USEC for a
 * sign of life from the loop. Nothing is waited for: what the manager does not
 * take at once is lost. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_PROCESS_SYSTEMD_H
#define NERVE_PROCESS_SYSTEMD_H

#include <uv.h>

/* Begins to give signs of life from <loop>, if they are asked for, by <timer>,
 * which is the caller's to close. */
void notify_open(uv_loop_t *loop, uv_timer_t *timer);

/* All is ready, also after notify_reloading(). */
void notify_ready(void);

/* The configuration is read again, or another binary takes over. */
void notify_reloading(void);

/* The end has begun. */
void notify_stopping(void);

/* Returns how often a sign of life is to be given, in milliseconds, twice as
 * often as is asked for; 0: none is. What is asked for is in the environment,
 * which <getenv_fn> reads, for the process <pid>. Pure but for that. */
uint64_t notify_interval(char *(*getenv_fn)(const char *name), long pid);

#endif
