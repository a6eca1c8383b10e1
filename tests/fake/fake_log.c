/* fake_log.c - log.h that keeps the lines for a test to look at
 *
 * Included by a test: the archive's log is then left out by the linker.
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "nerve/log.h"

/* All lines since the last fake_log_clear(), each "level text\n". */
static char fake_log_text[8192];

/* The log that had the last one. */
static struct log *fake_logged_by;

static void fake_log_clear(void) { fake_log_text[0] = '\0'; }

void log_line(struct log *l, enum event_level level, const char *format, ...) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    size_t used = strlen(fake_log_text);
    size_t room = sizeof(fake_log_text) - used;
    va_list args;

    fake_logged_by = l;
    snprintf(fake_log_text + used, room, "%s ", names[level]);
    used = strlen(fake_log_text);
    va_start(args, format);
    vsnprintf(fake_log_text + used, sizeof(fake_log_text) - used, format, args);
    va_end(args);
    strncat(fake_log_text, "\n",
            sizeof(fake_log_text) - strlen(fake_log_text) - 1);
}

/* Tells whether the lines since then are exactly <lines>. */
static inline bool fake_log_is(const char *lines) {
    bool same = strcmp(fake_log_text, lines) == 0;

    if (!same)
        fprintf(stderr, "log:\n%s", fake_log_text);
    fake_log_clear();
    return same;
}
