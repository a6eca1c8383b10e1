/* test_histogram.c - tests of nerve/measure/histogram.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/measure/histogram.h"

static void a_bound_belongs_to_its_bucket(void **state) {
    struct histogram h = {0};

    (void)state;
    histogram_add(&h, 0);
    histogram_add(&h, 1000);
    histogram_add(&h, 1001);
    assert_int_equal(h.buckets[0], 2);
    assert_int_equal(h.buckets[1], 1);
}

static void what_is_above_all_bounds_is_counted_too(void **state) {
    struct histogram h = {0};

    (void)state;
    histogram_add(&h, histogram_bounds_us[HISTOGRAM_BOUNDS - 1]);
    histogram_add(&h, UINT32_MAX);
    assert_int_equal(h.buckets[HISTOGRAM_BOUNDS - 1], 1);
    assert_int_equal(h.buckets[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(histogram_count(&h), 2);
}

static void the_sum_is_that_of_all(void **state) {
    struct histogram h = {0};

    (void)state;
    histogram_add(&h, 7);
    histogram_add(&h, 90000);
    assert_int_equal(h.sum_us, 90007);
}

static void the_bounds_rise(void **state) {
    (void)state;
    for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_belongs_to_its_bucket),
        cmocka_unit_test(what_is_above_all_bounds_is_counted_too),
        cmocka_unit_test(the_sum_is_that_of_all),
        cmocka_unit_test(the_bounds_rise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
