/* prometheus.h - Prometheus' text format
 *
 * Pure but for the text, which grows. The values of labels are names that
 * others chose: they are escaped, and cut where they are long.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_MEASURE_PROMETHEUS_H
#define NERVE_MEASURE_PROMETHEUS_H

#include <stddef.h>
#include <stdint.h>

struct histogram;
struct text;

/* One label; both are NUL-terminated, <value> is UTF-8. */
struct label {
    const char *name;
    const char *value;
};

/* Begins the family <name> of the <type> "counter", "gauge" or "histogram";
 * <help> is one sentence. All its samples follow. */
void exposition_family(struct text *t, const char *name, const char *type,
                       const char *help);

/* Appends one sample. */
void exposition_sample(struct text *t, const char *name,
                       const struct label *labels, size_t count,
                       uint64_t value);

/* Appends the samples of a histogram, in seconds. */
void exposition_histogram(struct text *t, const char *name,
                          const struct label *labels, size_t count,
                          const struct histogram *h);

#endif
