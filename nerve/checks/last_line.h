/* last_line.h - the last line of an output of any length
 *
 * Pure: no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_LAST_LINE_H
#define NERVE_CHECKS_LAST_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct last_line {  /* zeroed to start with */
    char text[160]; /* its beginning; NUL-terminated */
    size_t length;
    bool ended; /* the next byte begins another */
};

/* Takes the next <length> bytes of the output. Empty lines do not count. */
void last_line_add(struct last_line *l, const char *bytes, size_t length);

#endif
