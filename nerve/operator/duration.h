/* duration.h - lengths of time as people write them: 90, 20s, 30m, 2h, 7d
 *
 * Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_DURATION_H
#define NERVE_OPERATOR_DURATION_H

#include <stddef.h>
#include <stdint.h>

#define DURATION_MAX_MS (90LL * 24 * 3600 * 1000)

/* Reads a whole number and its unit (ms, s, m, h, d; none: seconds) into
 * <ms>. Returns 0, or -1 when <text> is something else, or longer than 90
 * days. */
int duration_read(const char *text, int64_t *ms);

/* Writes <ms> for people into <text>, as its two largest units: 1h29m. */
void duration_write(int64_t ms, char *text, size_t size);

#endif
