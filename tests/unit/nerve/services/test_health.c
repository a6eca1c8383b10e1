/* test_health.c - tests of nerve/services/health.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/services/health.h"

/* Folds results, "+" for a success and "-" for a failure, and returns the
 * states after each: "u" up, "d" down; upper case where it changed. */
static const char *fold(unsigned int rise, unsigned int fall,
                        const char *results) {
    static char states[40];
    struct health h = {.rise = rise, .fall = fall};
    size_t i;

    for (i = 0; results[i]; i++) {
        bool changed = health_update(&h, results[i] == '+');

        assert_int_not_equal(h.state, HEALTH_UNKNOWN);
        if (h.state == HEALTH_UP)
            states[i] = changed ? 'U' : 'u';
        else
            states[i] = changed ? 'D' : 'd';
    }
    states[i] = '\0';
    return states;
}

static void the_first_result_decides_at_once(void **state) {
    (void)state;
    assert_string_equal(fold(3, 3, "+"), "U");
    assert_string_equal(fold(3, 3, "-"), "D");
}

static void falls_only_after_fall_failures_in_a_row(void **state) {
    (void)state;
    assert_string_equal(fold(1, 3, "+---"), "UuuD");
    assert_string_equal(fold(1, 3, "+--+--+---"), "UuuuuuuuuD");
}

static void rises_only_after_rise_successes_in_a_row(void **state) {
    (void)state;
    assert_string_equal(fold(3, 1, "-+++"), "DddU");
    assert_string_equal(fold(3, 1, "-++-++-+++"), "DddddddddU");
}

/* What made it fall does not count for its rise, and the other way round. */
static void each_change_begins_to_count_anew(void **state) {
    (void)state;
    assert_string_equal(fold(3, 3, "+---+++---"), "UuuDddUuuD");
}

static void one_result_is_enough_where_rise_and_fall_are_1(void **state) {
    (void)state;
    assert_string_equal(fold(1, 1, "+-+-"), "UDUD");
}

static void says_nothing_while_nothing_changes(void **state) {
    (void)state;
    assert_string_equal(fold(2, 2, "++++"), "Uuuu");
    assert_string_equal(fold(2, 2, "----"), "Dddd");
}

static void each_state_has_a_word(void **state) {
    (void)state;
    assert_string_equal(health_name(HEALTH_UNKNOWN), "unknown");
    assert_string_equal(health_name(HEALTH_UP), "up");
    assert_string_equal(health_name(HEALTH_DOWN), "down");
}

static void what_was_not_tried_is_a_line_a_minute(void **state) {
    struct untried u = {0};

    (void)state;
    assert_int_equal(untried_add(&u, 1000), 1);
    assert_int_equal(untried_add(&u, 1001), 0);
    assert_int_equal(untried_add(&u, 60999), 0);
    assert_int_equal(untried_add(&u, 61000), 3);
    assert_int_equal(untried_add(&u, 61001), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_result_decides_at_once),
        cmocka_unit_test(falls_only_after_fall_failures_in_a_row),
        cmocka_unit_test(rises_only_after_rise_successes_in_a_row),
        cmocka_unit_test(each_change_begins_to_count_anew),
        cmocka_unit_test(one_result_is_enough_where_rise_and_fall_are_1),
        cmocka_unit_test(says_nothing_while_nothing_changes),
        cmocka_unit_test(each_state_has_a_word),
        cmocka_unit_test(what_was_not_tried_is_a_line_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
