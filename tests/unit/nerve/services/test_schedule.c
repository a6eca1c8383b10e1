/* test_schedule.c - tests of nerve/services/schedule.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/services/schedule.h"

#define SERVICES 1000
#define TIME_MS  20000

static struct schedule all[SERVICES];
static unsigned int started[TIME_MS]; /* passes in each millisecond */

static void start_all(uint64_t interval_ms) {
    memset(started, 0, sizeof(started));
    for (size_t i = 0; i < SERVICES; i++)
        schedule_start(&all[i], interval_ms, i, SERVICES, 0);
}

/* Lets time go from <from> to <to>. */
static void pass_time(uint64_t from, uint64_t to) {
    for (uint64_t now = from; now < to; now++)
        for (size_t i = 0; i < SERVICES; i++)
            if (schedule_wait(&all[i], now) == 0) {
                schedule_pass(&all[i], now);
                started[now]++;
            }
}

/* Returns the most passes in one millisecond. */
static unsigned int most(uint64_t from, uint64_t to) {
    unsigned int found = 0;

    for (uint64_t now = from; now < to; now++)
        if (started[now] > found)
            found = started[now];
    return found;
}

static unsigned int sum(uint64_t from, uint64_t to) {
    unsigned int found = 0;

    for (uint64_t now = from; now < to; now++)
        found += started[now];
    return found;
}

static void a_thousand_services_do_not_start_together(void **state) {
    static const struct {
        uint64_t interval_ms;
        unsigned int most; /* first passes in a millisecond */
        unsigned int then; /* later ones */
    } cases[] = {{500, 2, 2}, {1000, 1, 1}, {2000, 1, 1}, {10000, 1, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint64_t interval = cases[i].interval_ms;

        start_all(interval);
        pass_time(0, TIME_MS);
        assert_int_equal(most(0, 1000), cases[i].most);
        assert_int_equal(most(1000, TIME_MS), cases[i].then);
        assert_true(sum(0, 1000) >= SERVICES);
    }
}

static void the_places_are_spread_over_the_interval(void **state) {
    (void)state;
    start_all(10000);
    pass_time(0, TIME_MS);
    for (uint64_t at = 11000; at < 20000; at += 1000)
        assert_in_range(sum(at - 1000, at), 95, 105);
}

static void the_rate_is_fixed(void **state) {
    struct schedule s;

    (void)state;
    schedule_start(&s, 100, 0, 1, 1000);
    assert_int_equal(schedule_wait(&s, 1000), 0);
    assert_int_equal(schedule_pass(&s, 1000), 0);
    assert_int_equal(schedule_wait(&s, 1000), 100);
    assert_int_equal(schedule_pass(&s, 1130), 30);
    assert_int_equal(schedule_wait(&s, 1130), 70);
    assert_int_equal(schedule_pass(&s, 1300), 100);
    assert_int_equal(schedule_wait(&s, 1300), 100);
    assert_int_equal(schedule_pass(&s, 1401), 1);
    assert_int_equal(schedule_wait(&s, 1401), 99);
}

/* A process that was stopped used to check everything in one instant ever
 * after. */
static void after_a_stop_each_has_its_place_again(void **state) {
    (void)state;
    start_all(1000);
    pass_time(0, 3000);
    pass_time(8500, TIME_MS);
    assert_int_equal(started[8500], SERVICES);
    assert_int_equal(most(8501, TIME_MS), 1);
    assert_int_equal(sum(9000, 10000), SERVICES);
}

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
        cmocka_unit_test(a_thousand_services_do_not_start_together),
        cmocka_unit_test(the_places_are_spread_over_the_interval),
        cmocka_unit_test(the_rate_is_fixed),
        cmocka_unit_test(after_a_stop_each_has_its_place_again),
        cmocka_unit_test(what_is_in_time_is_not_told),
        cmocka_unit_test(late_passes_are_counted),
        cmocka_unit_test(what_was_told_stays_counted),
        cmocka_unit_test(they_are_told_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
