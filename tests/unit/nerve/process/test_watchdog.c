/* test_watchdog.c - tests of what nerve/process/watchdog.c decides by
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/process/watchdog.h"

static void a_loop_that_turns_is_never_too_still(void **state) {
    struct watch watch = {0};

    (void)state;
    for (unsigned int turn = 1; turn < 100; turn++)
        assert_false(watchdog_look(&watch, turn, 1));
}

static void a_loop_may_be_still_for_less_than_the_limit(void **state) {
    struct watch watch = {.turns = 7};

    (void)state;
    for (int times = 0; times < 3; times++) {
        assert_false(watchdog_look(&watch, 7, 4));
        assert_false(watchdog_look(&watch, 7, 4));
        assert_false(watchdog_look(&watch, 7, 4));
        assert_false(watchdog_look(&watch, 8, 4));
        watch.turns = 7;
        watch.still = 0;
    }
}

static void a_loop_that_is_still_for_the_limit_hangs(void **state) {
    struct watch watch = {.turns = 7};

    (void)state;
    assert_false(watchdog_look(&watch, 7, 3));
    assert_false(watchdog_look(&watch, 7, 3));
    assert_true(watchdog_look(&watch, 7, 3));
}

static void turns_are_told_apart_when_their_number_begins_anew(void **state) {
    struct watch watch = {.turns = UINT_MAX};

    (void)state;
    assert_false(watchdog_look(&watch, 0, 1));
    assert_true(watchdog_look(&watch, 0, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_turns_is_never_too_still),
        cmocka_unit_test(a_loop_may_be_still_for_less_than_the_limit),
        cmocka_unit_test(a_loop_that_is_still_for_the_limit_hangs),
        cmocka_unit_test(turns_are_told_apart_when_their_number_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
