/* test_rate_limit.c - tests of nerve/services/rate_limit.c, with airbnb's
 * numbers
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/config/model.h"
#include "nerve/services/rate_limit.h"

static const struct rate_config limited = {
    .limited = true, .average_rate = 100, .max_burst = 500};

/* Takes tokens at <now_ms> until there is none, at most <most>. Returns how
 * many there were. */
static int drain(struct rate_limit *l, const struct rate_config *config,
                 int64_t now_ms, int most) {
    int taken = 0;

    while (taken < most && rate_limit_take(l, config, now_ms))
        taken++;
    return taken;
}

static void it_starts_with_the_tokens_of_a_second(void **state) {
    struct rate_limit l;

    (void)state;
    rate_limit_start(&l, &limited, 1000);
    assert_int_equal(drain(&l, &limited, 1000, 1000), 100);
}

static void idle_time_fills_it_up_to_the_burst(void **state) {
    struct rate_limit l;

    (void)state;
    rate_limit_start(&l, &limited, 1000);
    assert_int_equal(drain(&l, &limited, 7000, 1000), 500);
    assert_false(rate_limit_take(&l, &limited, 7000));
}

static void a_second_brings_the_tokens_of_a_second(void **state) {
    struct rate_limit l;

    (void)state;
    rate_limit_start(&l, &limited, 0);
    drain(&l, &limited, 6000, 1000);
    assert_true(rate_limit_take(&l, &limited, 7000));
    assert_int_equal(drain(&l, &limited, 7000, 1000), 99);
}

/* Attempts that fail take nothing and lose nothing, however many they are. */
static void in_the_long_run_the_rate_is_kept(void **state) {
    struct rate_limit l;
    int taken = 0;

    (void)state;
    rate_limit_start(&l, &limited, 0);
    drain(&l, &limited, 0, 1000);
    for (int64_t now = 1; now <= 100000; now++)
        taken += drain(&l, &limited, now, 1000);
    assert_in_range(taken, 9990, 10000);
}

static void without_a_rate_there_is_no_limit(void **state) {
    static const struct rate_config open = {.average_rate = INFINITY,
                                            .max_burst = 500};
    static const struct rate_config absent = {.limited = false};
    struct rate_limit l;

    (void)state;
    rate_limit_start(&l, &open, 0);
    assert_int_equal(drain(&l, &open, 0, 1000), 1000);
    rate_limit_start(&l, &absent, 0);
    assert_int_equal(drain(&l, &absent, 0, 1000), 1000);
}

static void without_a_burst_it_fills_for_good(void **state) {
    static const struct rate_config endless = {
        .limited = true, .average_rate = 1, .max_burst = INFINITY};
    struct rate_limit l;

    (void)state;
    rate_limit_start(&l, &endless, 0);
    assert_int_equal(drain(&l, &endless, 9999000, 20000), 10000);
}

static void below_one_a_second_the_first_one_waits(void **state) {
    static const struct rate_config slow = {
        .limited = true, .average_rate = 0.5, .max_burst = 10};
    static const struct rate_config never = {.limited = true, .max_burst = 10};
    struct rate_limit l;

    (void)state;
    rate_limit_start(&l, &slow, 0);
    assert_false(rate_limit_take(&l, &slow, 999));
    assert_true(rate_limit_take(&l, &slow, 1000));
    rate_limit_start(&l, &never, 0);
    assert_false(rate_limit_take(&l, &never, 1000000000));
}

static void the_burst_bounds_the_start_too(void **state) {
    static const struct rate_config tight = {
        .limited = true, .average_rate = 100, .max_burst = 1};
    struct rate_limit l;

    (void)state;
    rate_limit_start(&l, &tight, 0);
    assert_int_equal(drain(&l, &tight, 0, 1000), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_with_the_tokens_of_a_second),
        cmocka_unit_test(idle_time_fills_it_up_to_the_burst),
        cmocka_unit_test(a_second_brings_the_tokens_of_a_second),
        cmocka_unit_test(in_the_long_run_the_rate_is_kept),
        cmocka_unit_test(without_a_rate_there_is_no_limit),
        cmocka_unit_test(without_a_burst_it_fills_for_good),
        cmocka_unit_test(below_one_a_second_the_first_one_waits),
        cmocka_unit_test(the_burst_bounds_the_start_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
