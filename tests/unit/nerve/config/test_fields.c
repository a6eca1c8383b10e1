/* test_fields.c - nerve/config/fields.c and the table of all keys in
 * nerve/README.md say the same
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/config/fields.h"
#include "nerve/config/model.h"

#define ROWS_MAX 200

struct row {
    char place[40], key[40], support[40];
};

static struct row rows[ROWS_MAX];
static size_t row_count;

static const struct {
    const char *place;
    const struct field *fields;
} tables[] = {
    {"top level", config_fields_top},
    {"`auth`", config_fields_auth},
    {"`statsd`", config_fields_statsd},
    {"a service", config_fields_service},
    {"`rate_limiting`", config_fields_rate},
    {"a check", config_fields_check},
};

static int read_rows(void **state) {
    FILE *file = fopen("nerve/README.md", "re");
    char line[2000];
    struct row row;

    (void)state;
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "| %39[^|] | `%39[^`]` | %39[^|] |", row.place,
                   row.key, row.support) == 3 &&
            row_count < ROWS_MAX) {
            row.place[strcspn(row.place, "|")] = '\0';
            rows[row_count++] = row;
        }
    return file ? fclose(file) : -1;
}

/* Compares a cell with <text>, but for the space at its end. */
static bool is_cell(const char *cell, const char *text) {
    size_t length = strlen(text);

    return strncmp(cell, text, length) == 0 &&
           cell[length + strspn(cell + length, " ")] == '\0';
}

static const struct row *find_row(const char *place, const char *key) {
    for (size_t i = 0; i < row_count; i++)
        if (is_cell(rows[i].place, place) && strcmp(rows[i].key, key) == 0)
            return &rows[i];
    return NULL;
}

enum { UNKNOWN, IGNORED, USED };

/* Tells what the code makes of <key>: used by any row of the <place>, ignored
 * (by all that have it), or unknown. */
static int find_support(const char *place, const char *key) {
    int support = UNKNOWN;

    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        for (const struct field *f = tables[i].fields; f->key; f++)
            if (is_cell(place, tables[i].place) && strcmp(f->key, key) == 0 &&
                field_is_key(f) && support != USED)
                support = f->kind == FIELD_IGNORED ? IGNORED : USED;
    return support;
}

static void every_key_of_the_code_is_in_the_table(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        for (const struct field *f = tables[i].fields; f->key; f++)
            if (field_is_key(f) && !find_row(tables[i].place, f->key))
                fail_msg("not in the table: %s: %s", tables[i].place, f->key);
}

static void every_key_of_the_table_has_its_fate_in_the_code(void **state) {
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < row_count; i++) {
        const struct row *row = &rows[i];
        int support = find_support(row->place, row->key);
        int wanted = USED;

        if (is_cell(row->support, "rejected") ||
            is_cell(row->support, "ignored"))
            wanted = IGNORED;
        else if (!is_cell(row->support, "supported") &&
                 !is_cell(row->support, "new") &&
                 !is_cell(row->support, "supported differently"))
            continue; /* another table */
        seen++;
        if (support != wanted &&
            !(support == UNKNOWN && is_cell(row->support, "rejected")))
            fail_msg("%s: %s: the table says %s", row->place, row->key,
                     row->support);
    }
    assert_true(seen > 50);
}

static void each_kind_of_check_is_shown_by_its_word(void **state) {
    static const char *const words[] = {
        [CHECK_TCP] = "tcp",   [CHECK_HTTP] = "http", [CHECK_GRPC] = "grpc",
        [CHECK_EXEC] = "exec", [CHECK_NOOP] = "noop", [CHECK_PUSH] = "push",
    };

    (void)state;
    for (int kind = CHECK_TCP; kind <= CHECK_PUSH; kind++)
        assert_string_equal(check_kind_name((enum check_kind)kind),
                            words[kind]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_check_is_shown_by_its_word),
        cmocka_unit_test(every_key_of_the_code_is_in_the_table),
        cmocka_unit_test(every_key_of_the_table_has_its_fate_in_the_code),
    };

    return cmocka_run_group_tests(tests, read_rows, NULL);
}
