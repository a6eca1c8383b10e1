/* clock.h - the monotonic clock, and the one on the wall, and that of a
 * thread's work SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_CLOCK_H
#define CSRC_BASE_CLOCK_H

#include <stdint.h>

/* Returns the microseconds, or milliseconds, since some fixed moment. Any
 * thread. */
int64_t clock_us(void);
int64_t clock_ms(void);

/* Returns the milliseconds since the epoch, by the wall clock, which may be
 * set. Any thread. */
int64_t clock_wall_ms(void);

/* Returns the milliseconds since the system started, including sleep. Any
 * thread. */
int64_t clock_boot_ms(void);

/* Returns the microseconds of processor time that the calling thread has used.
 */
int64_t clock_thread_us(void);

#endif
