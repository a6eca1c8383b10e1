/* statsd_line.c - a metric as dogstatsd reads it, under airbnb's names
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nerve/measure/statsd_line.h"

#define VALUE_MAX 128 /* bytes of a tag's value */

/* Appends a tag's value. Returns the new length. */
static size_t add_value(char *line, size_t length, const char *value) {
    for (size_t i = 0; value[i] && i < VALUE_MAX; i++) {
        unsigned char byte = (unsigned char)value[i];

        if (length + 1 >= STATSD_LINE_MAX)
            break;
        line[length++] = byte < 0x20 || strchr(",|#", byte) ? '_' : (char)byte;
    }
    return length;
}

size_t statsd_line(char line[STATSD_LINE_MAX], const char *name,
                   const char *type, uint64_t value, va_list tags) {
    size_t length = (size_t)snprintf(line, STATSD_LINE_MAX, "%s:%" PRIu64 "|%s",
                                     name, value, type);
    const char *before = "|#", *tag;

    for (; (tag = va_arg(tags, const char *)); before = ",") {
        const char *text = va_arg(tags, const char *);

        if (length + strlen(before) + strlen(tag) + 1 >= STATSD_LINE_MAX)
            return 0;
        length += (size_t)sprintf(line + length, "%s%s:", before, tag);
        length = add_value(line, length, text);
    }
    return length < STATSD_LINE_MAX - 1 ? length : 0;
}

void statsd_cluster(const char *hosts, char *out, size_t size) {
    size_t host = strcspn(hosts, ",");
    size_t length = strcspn(hosts, ".,");

    while (length > 0 && hosts[length - 1] >= '0' && hosts[length - 1] <= '9')
        length--;
    if (length == 0)
        length = host;
    snprintf(out, size, "%.*s", (int)length, hosts);
}
