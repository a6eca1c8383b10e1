/* clock.c - the monotonic clock, and the one on the wall, and that of a
 * thread's work SPDX-License-Identifier: MIT
 */
#include <time.h>

#include "csrc/base/clock.h"

static int64_t read_us(clockid_t clock) {
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_us(void) { return read_us(CLOCK_MONOTONIC); }

int64_t clock_ms(void) { return clock_us() / 1000; }

int64_t clock_thread_us(void) { return read_us(CLOCK_THREAD_CPUTIME_ID); }

int64_t clock_wall_ms(void) { return read_us(CLOCK_REALTIME) / 1000; }

int64_t clock_boot_ms(void) { return read_us(CLOCK_BOOTTIME) / 1000; }
