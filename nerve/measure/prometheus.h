/* prometheus.h - Prometheus' text format
 *
 * Pure, except that the text grows. The values of labels are names that others
 * have chosen, so they are escaped, and long ones are cut.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_MEASURE_PROMETHEUS_H
#define NERVE_MEASURE_PROMETHEUS_H

#include <stddef.h>
#include <stdint.h>

struct histogram;
struct text;

/* One label. Both texts end with a NUL; <value> is UTF-8. */
struct label {
    const char *name;
    const char *value;
};

/* Begins the family <name>. Its <type> is "counter", "gauge" or "histogram",
 * and <help> is one sentence. All samples of the family must follow. */
void exposition_family(struct text *t, const char *name, const char *type,
                       const char *help);

/* Appends one sample. */
void exposition_sample(struct text *t, const char *name,
                       const struct label *labels, size_t count,
                       uint64_t value);

/* Appends the samples of the histogram <h>, in seconds. */
void exposition_histogram(struct text *t, const char *name,
                          const struct label *labels, size_t count,
                          const struct histogram *h);

#endif
