/* status_text.c - the status as a table for people
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "csrc/base/text.h"
#include "nerve/operator/duration.h"
#include "nerve/operator/status_text.h"

#define COLUMNS      5
#define CELL_MAX     300
#define ROW          "%-*s  %-*s  %-*s  %-*s  %s\n"
#define DURATION_MAX 40

struct row {
    char cells[COLUMNS][CELL_MAX];
};

static const struct row head = {
    {"SERVICE", "ADDRESS", "CHECKS", "WEIGHT", "REGISTRATION"}};

static const char *text_at(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));

    return text ? text : "-";
}

/* Where ZooKeeper does not have yet what is wanted, that is said, and why. */
static void say_registration(const json_t *service, char *cell, size_t size) {
    bool connected = json_is_true(json_object_get(service, "connected"));
    bool settled = json_is_true(json_object_get(service, "settled"));
    const char *why = json_string_value(json_object_get(service, "trouble"));
    const char *registered = text_at(service, "registered");

    if (!connected)
        snprintf(cell, size, "%s (ZooKeeper is away%s%s)", registered,
                 why ? ": " : "", why ? why : "");
    else if (!settled)
        snprintf(cell, size, "%s (%s)", registered,
                 why ? why : "being changed");
    else
        snprintf(cell, size, "%s", registered);
}

static struct row row_of(const json_t *service) {
    const json_t *published = json_object_get(service, "published");
    const json_t *weight = json_object_get(published, "weight");
    struct row row;

    snprintf(row.cells[0], CELL_MAX, "%s", text_at(service, "name"));
    snprintf(row.cells[1], CELL_MAX, "%s:%s", text_at(service, "host"),
             text_at(service, "port"));
    snprintf(row.cells[2], CELL_MAX, "%s", text_at(service, "state"));
    snprintf(row.cells[3], CELL_MAX, "-");
    if (weight)
        snprintf(row.cells[3], CELL_MAX, "%lld",
                 (long long)json_integer_value(weight));
    say_registration(service, row.cells[4], CELL_MAX);
    return row;
}

static void measure(const struct row *row, int *widths) {
    for (size_t i = 0; i < COLUMNS; i++)
        if (widths[i] < (int)strlen(row->cells[i]))
            widths[i] = (int)strlen(row->cells[i]);
}

static void add_row(struct text *t, const struct row *row, const int *widths) {
    text_printf(t, ROW, widths[0], row->cells[0], widths[1], row->cells[1],
                widths[2], row->cells[2], widths[3], row->cells[3],
                row->cells[4]);
}

/* "  disabled by ann 3m ago, for 27m more: new disk" */
static void add_hold(struct text *t, const json_t *hold, int64_t now_ms) {
    json_int_t since = json_integer_value(json_object_get(hold, "since_ms"));
    json_int_t until = json_integer_value(json_object_get(hold, "until_ms"));
    char ago[DURATION_MAX], left[DURATION_MAX];

    duration_write(now_ms - since, ago, sizeof(ago));
    duration_write(until - now_ms, left, sizeof(left));
    if (json_is_true(json_object_get(hold, "out")))
        text_puts(t, "  disabled");
    else
        text_printf(
            t, "  weight %lld",
            (long long)json_integer_value(json_object_get(hold, "weight")));
    text_printf(t, " by %s %s ago", text_at(hold, "author"), ago);
    if (until)
        text_printf(t, ", for %s more", left);
    if (json_object_get(hold, "reason"))
        text_printf(t, ": %s", text_at(hold, "reason"));
    text_puts(t, "\n");
}

/* "  passed 12s ago, the next is due within 18s" */
static void add_report(struct text *t, const json_t *report) {
    json_int_t silent =
        json_integer_value(json_object_get(report, "silent_ms"));
    json_int_t ttl = json_integer_value(json_object_get(report, "ttl_ms"));
    const json_t *passed = json_object_get(report, "passed");
    char ago[DURATION_MAX], left[DURATION_MAX];

    duration_write(silent, ago, sizeof(ago));
    duration_write(silent < ttl ? ttl - silent : ttl, left, sizeof(left));
    if (json_is_null(passed))
        text_puts(t, "  has not reported yet\n");
    else if (json_is_false(passed) && json_object_get(report, "reason"))
        text_printf(t, "  reported as failed %s ago: %s\n", ago,
                    text_at(report, "reason"));
    else if (json_is_false(passed))
        text_printf(t, "  reported as failed %s ago\n", ago);
    else if (silent > ttl)
        text_printf(t, "  silent for %s, more than its ttl of %s\n", ago, left);
    else
        text_printf(t, "  passed %s ago, the next report is due within %s\n",
                    ago, left);
}

static void add_services(struct text *t, const json_t *services,
                         int64_t now_ms) {
    int widths[COLUMNS] = {0};
    const json_t *hold, *report;
    struct row row;

    measure(&head, widths);
    for (size_t i = 0; i < json_array_size(services); i++) {
        row = row_of(json_array_get(services, i));
        measure(&row, widths);
    }
    add_row(t, &head, widths);
    for (size_t i = 0; i < json_array_size(services); i++) {
        row = row_of(json_array_get(services, i));
        add_row(t, &row, widths);
        hold = json_object_get(json_array_get(services, i), "hold");
        if (hold)
            add_hold(t, hold, now_ms);
        report = json_object_get(json_array_get(services, i), "report");
        if (report)
            add_report(t, report);
    }
}

char *status_text(const json_t *status, int64_t now_ms) {
    const json_t *others = json_object_get(status, "other_holds");
    struct text t = {0};

    add_services(&t, json_object_get(status, "services"), now_ms);
    for (size_t i = 0; i < json_array_size(others); i++) {
        text_printf(&t, "%s is not configured, but\n",
                    text_at(json_array_get(others, i), "service"));
        add_hold(&t, json_array_get(others, i), now_ms);
    }
    return text_take(&t);
}
