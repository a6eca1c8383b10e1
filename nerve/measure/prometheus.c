/* prometheus.c - Prometheus' text format
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "csrc/base/hash.h"
#include "csrc/base/text.h"
#include "nerve/measure/histogram.h"
#include "nerve/measure/prometheus.h"

#define VALUE_MAX  128 /* bytes of a label's value */
#define LABELS_MAX 4   /* of one sample, "le" left out */

void exposition_family(struct text *t, const char *name, const char *type,
                       const char *help) {
    text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Returns how many bytes of <value> are shown: all, or as many whole characters
 * as fit into VALUE_MAX. */
static size_t shown_length(const char *value) {
    size_t length = strlen(value);

    if (length <= VALUE_MAX)
        return length;
    length = VALUE_MAX;
    while (length > 0 && ((unsigned char)value[length] & 0xc0) == 0x80)
        length--;
    return length;
}

static void add_byte(struct text *t, char byte) {
    if (byte == '\n')
        text_puts(t, "\\n");
    else if (byte == '"' || byte == '\\')
        text_printf(t, "\\%c", byte);
    else
        text_add(t, &byte, 1);
}

static void add_label(struct text *t, const struct label *label) {
    size_t shown = shown_length(label->value);

    text_printf(t, "%s=\"", label->name);
    for (size_t i = 0; i < shown; i++)
        add_byte(t, label->value[i]);
    /* Long values that begin alike differ in their hash. */
    if (label->value[shown])
        text_printf(t, "~%08" PRIx32, hash_text(label->value));
    text_puts(t, "\"");
}

/* Appends the name of a sample and its labels. */
static void add_head(struct text *t, const char *name, const char *suffix,
                     const struct label *labels, size_t count) {
    text_printf(t, "%s%s", name, suffix);
    for (size_t i = 0; i < count; i++) {
        text_puts(t, i == 0 ? "{" : ",");
        add_label(t, &labels[i]);
    }
    text_puts(t, count ? "} " : " ");
}

void exposition_sample(struct text *t, const char *name,
                       const struct label *labels, size_t count,
                       uint64_t value) {
    add_head(t, name, "", labels, count);
    text_printf(t, "%" PRIu64 "\n", value);
}

/* Appends the bucket up to <bound>; <value> counts all smaller ones too. */
static void add_bucket(struct text *t, const char *name,
                       const struct label *labels, size_t count,
                       const char *bound, uint64_t value) {
    struct label all[LABELS_MAX + 1];

    if (count)
        memcpy(all, labels, count * sizeof(*labels));
    all[count] = (struct label){"le", bound};
    add_head(t, name, "_bucket", all, count + 1);
    text_printf(t, "%" PRIu64 "\n", value);
}

void exposition_histogram(struct text *t, const char *name,
                          const struct label *labels, size_t count,
                          const struct histogram *h) {
    uint64_t below = 0;
    char bound[32];

    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        below += h->buckets[i];
        snprintf(bound, sizeof(bound), "%g",
                 (double)histogram_bounds_us[i] / 1e6);
        add_bucket(t, name, labels, count, bound, below);
    }
    add_bucket(t, name, labels, count, "+Inf", histogram_count(h));
    add_head(t, name, "_sum", labels, count);
    text_printf(t, "%.6f\n", (double)h->sum_us / 1e6);
    add_head(t, name, "_count", labels, count);
    text_printf(t, "%" PRIu64 "\n", histogram_count(h));
}
