/* reader.h - the state of reading a configuration: the place, and the errors
 * and notes so far
 *
 * A reader does not stop at the first error: a person who corrects a file
 * wants to see all errors at once. So the functions that read return nothing;
 * reader_failed_since() tells whether the values that were read can be used.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_READER_H
#define NERVE_CONFIG_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "csrc/base/event.h"

struct config;
struct error;
struct notes;

struct reader {
    struct config *config; /* borrowed; what is read into, or NULL */
    struct error *err;     /* borrowed, or NULL; takes the first error */
    struct notes *notes;   /* borrowed, or NULL; take the others and notes */
    const char *file;      /* borrowed; the file of the service, or NULL */
    char at[512];          /* the place: "services.web", "" at the top */
    size_t errors;         /* how many there were */
};

/* Enters the part of the place that <format> names, "checks[0]". Returns what
 * to pass to reader_leave() in order to return. */
size_t reader_enter(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void reader_leave(struct reader *r, size_t entered);

/* Adds an error: "<place>.<key>: <text>". <key> is NULL for the place itself.
 * The first one becomes the reader's <err>, the others become notes. */
void reader_fail(struct reader *r, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds the error that there is no memory. */
void reader_no_memory(struct reader *r, const char *key);

/* Adds a note that is no error, in the same form. */
void reader_note(struct reader *r, enum event_level level, const char *key,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Tells whether there was an error since the reader had <errors> of them. */
bool reader_failed_since(const struct reader *r, size_t errors);

#endif
