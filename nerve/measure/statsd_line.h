/* statsd_line.h - a metric as dogstatsd reads it, under airbnb's names
 *
 * Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_MEASURE_STATSD_LINE_H
#define NERVE_MEASURE_STATSD_LINE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define STATSD_LINE_MAX 1024

/* Writes the metric <name> of the <type> "c" or "ms" into <line>. <tags> are
 * pairs of a name and a value, up to a NULL; what would end a value is written
 * as "_", and long ones are cut. Returns the length; 0: it does not fit. */
size_t statsd_line(char line[STATSD_LINE_MAX], const char *name,
                   const char *type, uint64_t value, va_list tags);

/* Writes the name that airbnb's nerve has for an ensemble, of its sorted
 * <hosts>, into <out>: "zk" for "zk0.example.com:2181,...". */
void statsd_cluster(const char *hosts, char *out, size_t size);

#endif
