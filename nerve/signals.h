/* signals.h - the signals that nerve handles
 *
 * By default they end the process. So they are blocked until the loop handles
 * them: they stay pending, even over an exec.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SIGNALS_H
#define NERVE_SIGNALS_H

#define SIGNALS_COUNT 4

extern const int signals_numbers[SIGNALS_COUNT];

/* Blocks them for this thread and for those that it starts later. */
void signals_hold(void);

/* Unblocks them, with those that are pending. */
void signals_release(void);

#endif
