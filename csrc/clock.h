/* clock.h - the monotonic clock
 * SPDX-License-Identifier: MIT
 */
#ifndef MYELIN_CLOCK_H
#define MYELIN_CLOCK_H

#include <stdint.h>

/* Returns the microseconds, or milliseconds, since some fixed moment. Any
 * thread. */
int64_t clock_us(void);
int64_t clock_ms(void);

#endif
