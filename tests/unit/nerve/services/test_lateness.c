/* test_lateness.c - tests of nerve/services/lateness.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/services/lateness.h"

static void what_is_in_time_is_not_told(void **state) {
    struct lateness l = {0};
    struct late_passes passes;

    (void)state;
    assert_false(lateness_tell(&l, 1000, &passes));
    lateness_started(&l, 0);
    lateness_started(&l, 49);
    assert_false(lateness_tell(&l, 1000, &passes));
}

static void late_passes_are_counted(void **state) {
    struct lateness l = {0};
    struct late_passes passes;

    (void)state;
    lateness_started(&l, 50);
    lateness_started(&l, 700);
    lateness_started(&l, 60);
    lateness_left_out(&l);
    assert_true(lateness_tell(&l, 1000, &passes));
    assert_int_equal(passes.late, 3);
    assert_int_equal(passes.worst_ms, 700);
    assert_int_equal(passes.left_out, 1);
    assert_false(lateness_tell(&l, 100000, &passes));
}

static void what_was_told_stays_counted(void **state) {
    struct lateness l = {0};
    struct late_passes passes;

    (void)state;
    lateness_started(&l, 700);
    lateness_left_out(&l);
    assert_true(lateness_tell(&l, 1000, &passes));
    lateness_started(&l, 0);
    assert_int_equal(histogram_count(&l.starts), 2);
    assert_int_equal(l.starts.sum_us, 700000);
    assert_int_equal(l.left_out, 1);
}

static void they_are_told_once_a_minute(void **state) {
    struct lateness l = {0};
    struct late_passes passes;
    int told = 0, late = 0;

    (void)state;
    for (uint64_t now = 0; now < 600000; now += 10) {
        lateness_left_out(&l);
        if (lateness_tell(&l, now, &passes)) {
            told++;
            late += (int)passes.left_out;
        }
    }
    assert_int_equal(told, 10);
    assert_int_equal(late + (int)l.passes.left_out, 60000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_time_is_not_told),
        cmocka_unit_test(late_passes_are_counted),
        cmocka_unit_test(what_was_told_stays_counted),
        cmocka_unit_test(they_are_told_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
