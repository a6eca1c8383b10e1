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
    command = read_good("{\"command\": \"pass\", \"service\": \"web\"}");
    assert_int_equal(command.kind, CONTROL_PASS);
    assert_string_equal(command.service, "web");
    control_command_close(&command);
    command = read_good("{\"command\": \"fail\", \"service\": \"web\", "
                        "\"reason\": \"disk full\"}");
    assert_int_equal(command.kind, CONTROL_FAIL);
    assert_string_equal(command.reason, "disk full");
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

/* A service that is registered and as it is to be. */
static const struct control_view good = {.configured = true,
                                         .settled = true,
                                         .connected = true,
                                         .path = "/a/i_1",
                                         .state = HEALTH_UP,
                                         .kept = HOLD_KEPT};

static const struct control_command disable = {.kind = CONTROL_DISABLE};
static const struct control_command enable = {.kind = CONTROL_ENABLE};
static const struct control_command weigh = {.kind = CONTROL_WEIGHT,
                                             .weight = 3};
static const struct control_command wait_up = {
    .kind = CONTROL_WAIT, .up = true, .timeout_ms = 1000};
static const struct control_command wait_down = {.kind = CONTROL_WAIT,
                                                 .timeout_ms = 1000};

static void assert_judged(const struct control_command *command,
                          struct control_view view, enum control_verdict wanted,
                          const char *says) {
    char text[200];

    assert_int_equal(control_judge(command, &view), wanted);
    control_say(command, &view, wanted, text, sizeof(text));
    if (says)
        assert_string_equal(text, says);
}

static void a_change_is_done_when_it_is_confirmed_and_kept(void **state) {
    struct control_view view = good;

    (void)state;
    assert_judged(&enable, view, CONTROL_DONE, "enabled: /a/i_1");
    assert_judged(&weigh, view, CONTROL_DONE, "weight 3: /a/i_1");
    view.kept = HOLD_BEING_KEPT;
    assert_judged(&enable, view, CONTROL_GO_ON, NULL);
    view.kept = HOLD_KEPT;
    view.settled = false;
    view.waited_ms = 1000000;
    assert_judged(&enable, view, CONTROL_GO_ON, NULL);
}

static void one_that_is_not_registered_says_why(void **state) {
    struct control_view view = good;

    (void)state;
    view.path = NULL;
    assert_judged(&enable, view, CONTROL_DONE, "enabled: not registered");
    view.state = HEALTH_DOWN;
    assert_judged(&enable, view, CONTROL_DONE,
                  "enabled: not registered, for its checks do not say up");
    view.disabled = true;
    assert_judged(&disable, view, CONTROL_DONE,
                  "disabled: not registered, for it is disabled");
    view.configured = false;
    assert_judged(&enable, view, CONTROL_DONE, "enabled: not configured");
}

static void what_does_not_move_for_a_while_is_pending(void **state) {
    struct control_view view = good;

    (void)state;
    view.settled = view.connected = false;
    assert_true(control_is_troubled(&view));
    view.troubled_ms = CONTROL_AWAY_MS - 1;
    assert_judged(&disable, view, CONTROL_GO_ON, NULL);
    view.troubled_ms = CONTROL_AWAY_MS;
    assert_judged(&disable, view, CONTROL_PENDING,
                  "disabled, but not confirmed: ZooKeeper is away; it is told "
                  "when it is back");
    view.connected = true;
    assert_false(control_is_troubled(&view));
    view.refusal = "no rights";
    assert_true(control_is_troubled(&view));
    assert_judged(&disable, view, CONTROL_PENDING,
                  "disabled, but not confirmed: no rights");
    /* The log named the cause, and this only that ZooKeeper is away. */
    view.connected = false;
    view.refusal = "the servers refuse the credentials";
    assert_judged(&enable, view, CONTROL_PENDING,
                  "enabled, but not confirmed: ZooKeeper is away: the servers "
                  "refuse the credentials; it is told when it is back");
    view.connected = true;
    view.refusal = NULL;
    view.state = HEALTH_UNKNOWN;
    assert_true(control_is_troubled(&view));
    assert_judged(&enable, view, CONTROL_PENDING,
                  "enabled, but not confirmed: it was not checked yet");
}

static void what_cannot_be_kept_has_failed(void **state) {
    struct control_view view = good;

    (void)state;
    view.kept = HOLD_NOT_KEPT;
    view.kept_error = "disk full";
    assert_judged(&disable, view, CONTROL_FAILED,
                  "disabled until nerve restarts, for the file of holds "
                  "cannot be written: disk full");
}

static void a_wait_ends_when_it_is_so_or_late(void **state) {
    struct control_view view = good;

    (void)state;
    assert_judged(&wait_up, view, CONTROL_DONE, "up: /a/i_1");
    assert_judged(&wait_down, view, CONTROL_GO_ON, NULL);
    view.waited_ms = 1000;
    assert_judged(&wait_down, view, CONTROL_FAILED,
                  "not down within 1s: /a/i_1");
    view.settled = false;
    assert_judged(&wait_up, view, CONTROL_FAILED,
                  "not up within 1s: ZooKeeper has not confirmed it yet");
    view.settled = true;
    view.path = NULL;
    assert_judged(&wait_down, view, CONTROL_DONE, "down: not registered");
    view.configured = false;
    assert_judged(&wait_down, view, CONTROL_FAILED, "no such service");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_a_default),
        cmocka_unit_test(all_that_is_said_is_read),
        cmocka_unit_test(a_wrong_request_names_what_is_wrong),
        cmocka_unit_test(a_change_is_done_when_it_is_confirmed_and_kept),
        cmocka_unit_test(one_that_is_not_registered_says_why),
        cmocka_unit_test(what_does_not_move_for_a_while_is_pending),
        cmocka_unit_test(what_cannot_be_kept_has_failed),
        cmocka_unit_test(a_wait_ends_when_it_is_so_or_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
