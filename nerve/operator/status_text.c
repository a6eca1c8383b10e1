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
#define ROOM         20 /* columns that a registration needs to be told apart */
#define DURATION_MAX 40

enum column { SERVICE = 0, ADDRESS, CHECKS, WEIGHT, REGISTRATION };

struct row {
    char cells[COLUMNS][CELL_MAX];
    char note[CELL_MAX]; /* about the registration, or "" */
};

/* How wide each column is; 0: it is left out. */
struct layout {
    int widths[COLUMNS];
    bool narrow; /* the notes stand below their rows */
};

static const struct row head = {
    {"SERVICE", "ADDRESS", "CHECKS", "WEIGHT", "REGISTRATION"}, ""};

/* The columns that a narrow terminal lacks first. */
static const enum column spare[] = {WEIGHT, ADDRESS};

static const char *text_at(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));

    return text ? text : "-";
}

/* Writes why ZooKeeper does not have what is wanted yet into <note>, or "". */
static void say_note(const json_t *service, char *note, size_t size) {
    bool connected = json_is_true(json_object_get(service, "connected"));
    bool settled = json_is_true(json_object_get(service, "settled"));
    const char *why = json_string_value(json_object_get(service, "trouble"));

    note[0] = '\0';
    if (!connected)
        snprintf(note, size, "ZooKeeper is away%s%s", why ? ": " : "",
                 why ? why : "");
    else if (!settled)
        snprintf(note, size, "%s", why ? why : "being changed");
}

static struct row row_of(const json_t *service) {
    const json_t *published = json_object_get(service, "published");
    const json_t *weight = json_object_get(published, "weight");
    struct row row;

    snprintf(row.cells[SERVICE], CELL_MAX, "%s", text_at(service, "name"));
    snprintf(row.cells[ADDRESS], CELL_MAX, "%s:%s", text_at(service, "host"),
             text_at(service, "port"));
    snprintf(row.cells[CHECKS], CELL_MAX, "%s", text_at(service, "state"));
    snprintf(row.cells[WEIGHT], CELL_MAX, "-");
    if (weight)
        snprintf(row.cells[WEIGHT], CELL_MAX, "%lld",
                 (long long)json_integer_value(weight));
    snprintf(row.cells[REGISTRATION], CELL_MAX, "%s",
             text_at(service, "registered"));
    say_note(service, row.note, CELL_MAX);
    return row;
}

static int longer(int width, const char *text) {
    return width < (int)strlen(text) ? (int)strlen(text) : width;
}

/* Returns the columns in front of the registration. */
static int left_of_registration(const struct layout *layout) {
    int sum = 0;

    for (int i = 0; i < REGISTRATION; i++)
        sum += layout->widths[i] ? layout->widths[i] + 2 : 0;
    return sum;
}

/* Chooses what is shown in <width> columns; 0: there is no terminal. */
static struct layout layout_of(const json_t *services, int width) {
    struct layout layout = {0};
    int *longest = &layout.widths[REGISTRATION], full = 0, room;
    struct row row = head;

    for (size_t i = 0; i <= json_array_size(services); i++) {
        for (int k = 0; k < COLUMNS; k++)
            layout.widths[k] = longer(layout.widths[k], row.cells[k]);
        room = (int)strlen(row.cells[REGISTRATION]);
        room += row.note[0] ? (int)strlen(row.note) + 3 : 0;
        full = full < room ? room : full;
        row = row_of(json_array_get(services, i));
    }
    if (width == 0 || left_of_registration(&layout) + full <= width)
        return layout;
    layout.narrow = true;
    room = *longest < ROOM ? *longest : ROOM;
    for (size_t i = 0; i < sizeof(spare) / sizeof(*spare); i++)
        if (left_of_registration(&layout) + room > width)
            layout.widths[spare[i]] = 0;
    width -= left_of_registration(&layout);
    *longest = width < room ? room : width;
    return layout;
}

/* The end of a path tells znodes apart, so its beginning goes. */
static void add_registration(struct text *t, const char *path, int width) {
    size_t length = strlen(path);

    if (width >= (int)length)
        text_puts(t, path);
    else
        text_printf(t, "...%s", path + length - (size_t)width + 3);
}

static void add_row(struct text *t, const struct row *row,
                    const struct layout *layout) {
    for (int i = 0; i < REGISTRATION; i++)
        if (layout->widths[i])
            text_printf(t, "%-*s  ", layout->widths[i], row->cells[i]);
    add_registration(t, row->cells[REGISTRATION], layout->widths[REGISTRATION]);
    if (row->note[0])
        text_printf(t, layout->narrow ? "\n  %s" : " (%s)", row->note);
    text_puts(t, "\n");
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

static void add_services(struct text *t, const json_t *services, int64_t now_ms,
                         int width) {
    const struct layout layout = layout_of(services, width);
    const json_t *hold, *report;
    struct row row;

    add_row(t, &head, &layout);
    for (size_t i = 0; i < json_array_size(services); i++) {
        row = row_of(json_array_get(services, i));
        add_row(t, &row, &layout);
        hold = json_object_get(json_array_get(services, i), "hold");
        if (hold)
            add_hold(t, hold, now_ms);
        report = json_object_get(json_array_get(services, i), "report");
        if (report)
            add_report(t, report);
    }
}

char *status_text(const json_t *status, int64_t now_ms, int width) {
    const json_t *others = json_object_get(status, "other_holds");
    struct text t = {0};

    add_services(&t, json_object_get(status, "services"), now_ms, width);
    for (size_t i = 0; i < json_array_size(others); i++) {
        text_printf(&t, "%s is not configured, but\n",
                    text_at(json_array_get(others, i), "service"));
        add_hold(&t, json_array_get(others, i), now_ms);
    }
    return text_take(&t);
}
