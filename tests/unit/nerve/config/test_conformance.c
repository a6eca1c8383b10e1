/* test_conformance.c - what airbnb's nerve's own tests ask for
 *
 * tests/data/nerve/conformance.json has a row, or some, for each of their
 * cases: a service and what becomes of it, or where it is tested elsewhere, or
 * why it does not apply. One case is changed: its port was "port", which is
 * not one.
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "csrc/base/error.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"

static const char *string_of(const json_t *row, const char *key) {
    return json_string_value(json_object_get(row, key));
}

/* Returns the configuration that <row> is about, owned, or NULL with <err>. */
static struct config *parse(const json_t *row, struct error *err) {
    json_t *id = json_object_get(row, "instance_id");
    json_t *all =
        json_pack("{s: s, s: {s: {s: s, s: i, s: [s], s: s}}}", "instance_id",
                  "i-1", "services", "web", "host", "h", "port", 80, "zk_hosts",
                  "zk:2181", "zk_path", "/a");
    json_t *web = json_object_get(json_object_get(all, "services"), "web");
    struct config *config;
    char *text;

    if (id)
        json_object_set(all, "instance_id", id);
    json_object_update(web, json_object_get(row, "service"));
    text = json_dumps(all, 0);
    config = config_parse(text, strlen(text), NULL, NULL, err);
    free(text);
    json_decref(all);
    return config;
}

static void check_row(const json_t *row) {
    const json_t *type = json_object_get(row, "node_type");
    const char *wrong = string_of(row, "error");
    struct error err = {0};
    struct config *config = parse(row, &err);

    print_message("  %s\n", string_of(row, "row"));
    if (wrong) {
        assert_null(config);
        if (strncmp(err.text, wrong, strlen(wrong)) != 0)
            fail_msg("%s", err.text);
        return;
    }
    assert_string_equal(err.text, "");
    if (string_of(row, "payload"))
        assert_string_equal(config->services[0].payload,
                            string_of(row, "payload"));
    if (string_of(row, "node"))
        assert_string_equal(config->services[0].node, string_of(row, "node"));
    if (type)
        assert_int_equal(config->services[0].node_type,
                         json_integer_value(type));
    config_free(config);
}

/* Asserts that the file that is named first is there. */
static void check_elsewhere(const char *where) {
    int length = (int)strcspn(where, ",:");
    char path[200];

    snprintf(path, sizeof(path), "tests/%.*s", length, where);
    if (access(path, R_OK) != 0)
        fail_msg("no such test: %.*s", length, where);
}

static void each_case_of_theirs_is_met_or_told(void **state) {
    json_t *rows = json_load_file("tests/data/nerve/conformance.json", 0, NULL);
    bool seen[40] = {false};

    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        seen[atoi(string_of(row, "row") + 1)] = true;
        if (json_object_get(row, "service"))
            check_row(row);
        else if (string_of(row, "elsewhere"))
            check_elsewhere(string_of(row, "elsewhere"));
        else
            assert_non_null(string_of(row, "not"));
    }
    for (int i = 1; i < 40; i++)
        if (!seen[i] && i != 3 && i != 12 && i != 31)
            fail_msg("N%d is missing", i);
    json_decref(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_of_theirs_is_met_or_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
