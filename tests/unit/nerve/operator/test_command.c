/* test_command.c - tests of nerve/operator/command.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "nerve/operator/command.h"

static struct control_command read_good(const char *line) {
    struct control_command command;
    struct error err = {0};

    if (control_command_read(&command, line, strlen(line), &err) != 0)
        fail_msg("%s: %s", line, err.text);
    return command;
}

static void what_is_not_said_has_a_default(void **state) {
    struct control_command command = read_good(
        "{\"command\": \"disable\", \"service\": \"web\", \"reason\": \"r\"}");

    (void)state;
    assert_int_equal(command.kind, CONTROL_DISABLE);
    assert_string_equal(command.service, "web");
    assert_string_equal(command.reason, "r");
    assert_int_equal(command.for_ms, 0);
    assert_int_equal(command.drain_ms, CONTROL_DRAIN_MS);
    control_command_close(&command);
    command = read_good("{\"command\": \"wait\", \"service\": \"web\"}");
    assert_true(command.up);
    assert_int_equal(command.timeout_ms, CONTROL_WAIT_MS);
    control_command_close(&command);
}

static void all_that_is_said_is_read(void **state) {
    struct control_command command =
        read_good("{\"command\": \"disable\", \"service\": \"web\", "
                  "\"reason\": \"r\", \"for_ms\": 5, \"drain_ms\": 0}");

    (void)state;
    assert_int_equal(command.for_ms, 5);
    assert_int_equal(command.drain_ms, 0);
    control_command_close(&command);
    command = read_good("{\"command\": \"weight\", \"service\": \"web\", "
                        "\"weight\": 3}");
    assert_int_equal(command.kind, CONTROL_WEIGHT);
    assert_int_equal(command.weight, 3);
    control_command_close(&command);
    command = read_good("{\"command\": \"wait\", \"service\": \"web\", "
                        "\"up\": false, \"timeout_ms\": 7}");
    assert_false(command.up);
    assert_int_equal(command.timeout_ms, 7);
    control_command_close(&command);
    command = read_good("{\"command\": \"dump\"}");
    assert_int_equal(command.kind, CONTROL_DUMP);
    assert_null(command.service);
    control_command_close(&command);
}

#define WEB(command) "{\"command\": \"" command "\", \"service\": \"web\""

static void a_wrong_request_names_what_is_wrong(void **state) {
    static const char *const cases[][2] = {
        {"", "a request must be JSON: "},
        {"[]", "a request must be an object"},
        {"{}", "command: must be one of"},
        {"{\"command\": 7}", "command: must be one of"},
        {"{\"command\": \"stop\"}", "command: must be one of"},
        {"{\"command\": \"enable\"}", "service: missing"},
        {"{\"command\": \"enable\", \"service\": \"a\\u0000b\"}",
         "a request must be JSON: "},
        {"{\"command\": \"status\", \"service\": \"a\"}",
         "service: no key of status"},
        {WEB("disable") "}", "reason: missing; it must say why"},
        {WEB("disable") ", \"reason\": \"a\\nb\"}", "reason: "},
        {WEB("disable") ", \"reason\": \"r\", \"drain_ms\": -1}",
         "drain_ms: -1 is not milliseconds (0 to 86400000)"},
        {WEB("disable") ", \"reason\": \"r\", \"for_ms\": 0}",
         "for_ms: 0 is not milliseconds (1 to 7776000000)"},
        {WEB("enable") ", \"reason\": \"r\"}", "reason: no key of enable"},
        {WEB("weight") "}", "weight: missing"},
        {WEB("weight") ", \"weight\": -3}", "weight: -3 is not a weight"},
        {WEB("wait") ", \"up\": 1}", "up: 1 is not true or false"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct control_command command;
        struct error err = {0};

        assert_int_equal(control_command_read(&command, cases[i][0],
                                              strlen(cases[i][0]), &err),
                         -1);
        if (strncmp(err.text, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("%s: %s", cases[i][0], err.text);
        control_command_close(&command);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_a_default),
        cmocka_unit_test(all_that_is_said_is_read),
        cmocka_unit_test(a_wrong_request_names_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
