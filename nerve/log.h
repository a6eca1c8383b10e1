/* log.h - one line per event, to a descriptor, without ever blocking the loop
 *
 * A worker writes the lines. If it is too slow (a full pipe, a stopped
 * terminal), lines are dropped and counted, and a line says how many.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_LOG_H
#define NERVE_LOG_H

#include "csrc/base/event.h"

struct log;

/* Returns a log that writes lines up to <level> to <fd>, which the caller
 * keeps. Owned by the caller, or NULL without memory. */
struct log *log_new(int fd, enum event_level level);

/* Waits until all lines are written and frees <l>. NULL is allowed. */
void log_free(struct log *l);

/* Writes one line: time, level, text. Control characters become "?". */
void log_line(struct log *l, enum event_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes one line at once, waiting at most 100 ms for the descriptor, for a
 * process that is about to end itself. Returns 0, or -1 if the line is lost.
 * Any thread. */
int log_last_words(const struct log *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Waits until all lines are written, at most <timeout_ms>, for the end of the
 * process. Returns 0, or -1 if some lines are lost. */
int log_flush(struct log *l, int timeout_ms);

#endif
