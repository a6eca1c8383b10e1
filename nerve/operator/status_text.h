/* status_text.h - the status as a table for people
 *
 * Pure, but for the memory.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_STATUS_TEXT_H
#define NERVE_OPERATOR_STATUS_TEXT_H

#include <stdint.h>

#include <jansson.h>

/* Returns what status_json() made as text, at the time <now_ms> since the
 * epoch; owned by the caller (free()), or NULL without memory. <width>: the
 * columns of the terminal, where the weight and the address are left out, a
 * path lacks its beginning and its note is a line of its own, as far as the
 * table needs it to fit; 0: no terminal. */
char *status_text(const json_t *status, int64_t now_ms, int width);

#endif
