/* test_control_answer.c - tests of nerve/operator/control_answer.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/operator/control_answer.h"

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
    view.refusal = NULL;
    view.blocked = true;
    assert_true(control_is_troubled(&view));
    assert_judged(&enable, view, CONTROL_PENDING,
                  "enabled, but not confirmed: another session's znode is in "
                  "the way");
    view.blocked = false;
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
        cmocka_unit_test(a_change_is_done_when_it_is_confirmed_and_kept),
        cmocka_unit_test(one_that_is_not_registered_says_why),
        cmocka_unit_test(what_does_not_move_for_a_while_is_pending),
        cmocka_unit_test(what_cannot_be_kept_has_failed),
        cmocka_unit_test(a_wait_ends_when_it_is_so_or_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
