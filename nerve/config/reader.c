/* reader.c - how far the reading of a configuration is: the place, and what was
 * found to say so far
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/model.h"
#include "nerve/config/reader.h"

size_t reader_enter(struct reader *r, const char *format, ...) {
    size_t entered = strlen(r->at);
    va_list args;

    if (entered > 0 && entered < sizeof(r->at) - 1)
        strcpy(r->at + entered, ".");
    va_start(args, format);
    vsnprintf(r->at + strlen(r->at), sizeof(r->at) - strlen(r->at), format,
              args);
    va_end(args);
    return entered;
}

void reader_leave(struct reader *r, size_t entered) { r->at[entered] = '\0'; }

/* Returns "<file>: <place>.<key>: <text>", owned, or NULL without memory. */
static char *placed(const struct reader *r, const char *key, const char *format,
                    va_list args) {
    struct text text = {0};
    char *said;

    if (vasprintf(&said, format, args) < 0)
        return NULL;
    if (r->file)
        text_printf(&text, "%s: ", r->file);
    text_printf(&text, "%s%s%s", r->at, key && *r->at ? "." : "",
                key ? key : "");
    text_printf(&text, "%s%s", key || *r->at ? ": " : "", said);
    free(said);
    return text_take(&text);
}

void reader_fail(struct reader *r, const char *key, const char *format, ...) {
    va_list args;
    char *text;

    va_start(args, format);
    text = placed(r, key, format, args);
    va_end(args);
    if (r->errors++ > 0) {
        notes_add(r->notes, LEVEL_ERROR, text);
        return;
    }
    error_set(r->err, "%s", text ? text : "out of memory");
    free(text);
}

void reader_no_memory(struct reader *r, const char *key) {
    reader_fail(r, key, "out of memory");
}

void reader_note(struct reader *r, enum event_level level, const char *key,
                 const char *format, ...) {
    va_list args;

    va_start(args, format);
    notes_add(r->notes, level, placed(r, key, format, args));
    va_end(args);
}

bool reader_failed_since(const struct reader *r, size_t errors) {
    return r->errors > errors;
}
