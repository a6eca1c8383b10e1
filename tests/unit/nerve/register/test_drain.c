/* test_drain.c - tests of nerve/register/drain.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/register/drain.h"

static void one_that_is_not_taken_out_may_be_registered(void **state) {
    struct drain d = {0};

    (void)state;
    assert_true(drain_allows(&d, false, false, 1));
    drain_start(&d, 0);
    drain_end(&d);
    assert_true(drain_allows(&d, true, true, 1));
}

static void one_that_is_not_registered_has_nothing_to_drain(void **state) {
    struct drain d = {0};

    (void)state;
    drain_start(&d, 1000);
    assert_false(drain_allows(&d, false, false, 1));
}

static void the_time_begins_when_weight_0_is_confirmed(void **state) {
    struct drain d = {0};

    (void)state;
    drain_start(&d, 1000);
    assert_true(drain_allows(&d, true, false, 5000));
    assert_true(drain_allows(&d, true, false, 9000));
    assert_true(drain_allows(&d, true, true, 10000));
    assert_true(drain_allows(&d, true, true, 10999));
    assert_false(drain_allows(&d, true, true, 11000));
}

static void it_begins_anew_when_that_is_no_longer_so(void **state) {
    struct drain d = {0};

    (void)state;
    drain_start(&d, 1000);
    assert_true(drain_allows(&d, true, true, 10000));
    assert_true(drain_allows(&d, true, false, 10500));
    assert_true(drain_allows(&d, true, true, 11000));
    assert_true(drain_allows(&d, true, true, 11999));
    assert_false(drain_allows(&d, true, true, 12000));
}

static void asked_for_again_it_goes_on_with_the_new_time(void **state) {
    struct drain d = {0};

    (void)state;
    drain_start(&d, 60000);
    assert_true(drain_allows(&d, true, true, 10000));
    drain_start(&d, 1000);
    assert_false(drain_allows(&d, true, true, 11000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_not_taken_out_may_be_registered),
        cmocka_unit_test(one_that_is_not_registered_has_nothing_to_drain),
        cmocka_unit_test(the_time_begins_when_weight_0_is_confirmed),
        cmocka_unit_test(it_begins_anew_when_that_is_no_longer_so),
        cmocka_unit_test(asked_for_again_it_goes_on_with_the_new_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
