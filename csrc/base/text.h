/* text.h - a string that grows
 *
 * Running out of memory is remembered: every later call does nothing, and
 * text_take() returns NULL. So a writer checks once, at the end.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_TEXT_H
#define CSRC_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {   /* zeroed to start with */
    char *data; /* owned; NUL-terminated once something was added */
    size_t length;
    size_t size;
    bool failed;
};

/* Appends <length> bytes. */
void text_add(struct text *t, const char *bytes, size_t length);

/* Appends a string. */
void text_puts(struct text *t, const char *string);

/* Appends formatted text. */
void text_printf(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends <length> bytes of UTF-8 as a JSON string, escaped as Ruby's JSON
 * does it: only quotes, backslashes and control characters. */
void text_json(struct text *t, const char *bytes, size_t length);

/* Returns the string, owned by the caller (free()), or NULL without memory.
 * <t> is empty afterwards. */
char *text_take(struct text *t);

/* Frees what <t> holds; it is empty afterwards. */
void text_close(struct text *t);

#endif
