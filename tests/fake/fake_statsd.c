/* fake_statsd.c - statsd.h that keeps what was counted for a test to look at
 *
 * Included by a test: the archive's statsd is then left out by the linker.
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nerve/measure/statsd.h"

/* All that was counted, each "name tag=value tag=value\n". */
static char fake_counted[4096];

/* Where the last one was counted. */
static struct statsd *fake_counted_by;

static void fake_count_more(const char *separator, const char *text) {
    size_t used = strlen(fake_counted);

    snprintf(fake_counted + used, sizeof(fake_counted) - used, "%s%s",
             separator, text);
}

void statsd_count(struct statsd *s, const char *name, ...) {
    const char *tag;
    va_list tags;

    fake_counted_by = s;
    fake_count_more("", name);
    va_start(tags, name);
    while ((tag = va_arg(tags, const char *))) {
        fake_count_more(" ", tag);
        fake_count_more("=", va_arg(tags, const char *));
    }
    va_end(tags);
    fake_count_more("", "\n");
}

/* Nobody asks for it here. */
void statsd_cluster(const char *hosts, char *out, size_t size) {
    (void)hosts;
    snprintf(out, size, "zk");
}

/* Asserts that exactly <wanted> was counted since it was asked last. */
static inline void assert_counted(const char *wanted) {
    assert_string_equal(fake_counted, wanted);
    fake_counted[0] = '\0';
}
