/* signals.h - the signals that nerve acts on
 *
 * Their default is to end the process, so they are held back while nobody
 * listens: they stay pending, over exec too.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SIGNALS_H
#define NERVE_SIGNALS_H

#define SIGNALS_COUNT 4

extern const int signals_numbers[SIGNALS_COUNT];

/* Holds them back from this thread, and from those that it starts later. */
void signals_hold(void);

/* Lets them come, also those that came meanwhile. */
void signals_release(void);

#endif
