/* fake_clock.c - clock.h on a hand that the test moves
 *
 * Included by a test: the archive's clock is then left out by the linker, and
 * no real time passes.
 * SPDX-License-Identifier: MIT
 */
#include "csrc/base/clock.h"

static _Atomic int64_t fake_now_us = 1000000; /* workers look too */

int64_t clock_us(void) { return fake_now_us; }

int64_t clock_ms(void) { return fake_now_us / 1000; }

static inline void fake_clock_pass_ms(int64_t ms) { fake_now_us += ms * 1000; }
