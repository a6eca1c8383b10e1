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
 * epoch; owned by the caller (free()), or NULL without memory. <width> is
 * the number of columns of the terminal, or 0: there is none. Where the
 * table is too wide for it, notes have lines of their own, paths lose their
 * beginning, and the weight and then the address are left out. */
char *status_text(const json_t *status, int64_t now_ms, int width);

#endif
