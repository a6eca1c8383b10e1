/* test_window.c - tests of csrc/zookeeper/window.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csrc/zookeeper/window.h"

#define MS      INT64_C(1000) /* microseconds */
#define TIMEOUT 10000         /* milliseconds */
#define MOST    64

/* Answers <count> requests that were all asked at <asked>, each after
 * <took> microseconds. */
static void answer(struct window *w, size_t count, int64_t asked,
                   int64_t took) {
    for (size_t i = 0; i < count; i++)
        window_answered(w, asked, asked + took, TIMEOUT);
}

static void begins_small_and_never_above_its_most(void **state) {
    (void)state;
    assert_int_equal(window_new(MOST).size, 8);
    assert_int_equal(window_new(4).size, 4);
}

static void doubles_with_each_round_of_quick_answers(void **state) {
    struct window w = window_new(MOST);

    (void)state;
    answer(&w, 8, 0, 1 * MS);
    assert_int_equal(w.size, 16);
    answer(&w, 16, 2 * MS, 1 * MS);
    assert_int_equal(w.size, 32);
    answer(&w, 1000, 4 * MS, 1 * MS);
    assert_int_equal(w.size, MOST);
}

/* What was asked before it was halved took long for the same reason. */
static void is_halved_once_for_what_was_asked_until_then(void **state) {
    struct window w = window_new(MOST);

    (void)state;
    answer(&w, 100, 0, 1 * MS);
    answer(&w, 64, 1000 * MS, 500 * MS);
    assert_int_equal(w.size, 32);
    window_answered(&w, 1499 * MS, 2000 * MS, TIMEOUT);
    assert_int_equal(w.size, 32);
    window_answered(&w, 1500 * MS, 2001 * MS, TIMEOUT);
    assert_int_equal(w.size, 16);
}

static void always_allows_one(void **state) {
    struct window w = window_new(MOST);

    (void)state;
    window_answered(&w, 0, 1 * MS, TIMEOUT);
    for (int64_t now = 1; now < 20; now++)
        window_answered(&w, now * 1000 * MS, (now + 1) * 1000 * MS - 1,
                        TIMEOUT);
    assert_int_equal(w.size, 1);
}

static void grows_by_one_a_window_once_it_was_halved(void **state) {
    struct window w = window_new(16);

    (void)state;
    answer(&w, 100, 0, 1 * MS);
    window_answered(&w, 1000 * MS, 1500 * MS, TIMEOUT);
    assert_int_equal(w.size, 8);
    answer(&w, 7, 2000 * MS, 1 * MS);
    assert_int_equal(w.size, 8);
    answer(&w, 1, 2000 * MS, 1 * MS);
    assert_int_equal(w.size, 9);
    answer(&w, 8, 2000 * MS, 1 * MS);
    assert_int_equal(w.size, 9);
    answer(&w, 1, 2000 * MS, 1 * MS);
    assert_int_equal(w.size, 10);
    answer(&w, 1000, 3000 * MS, 1 * MS);
    assert_int_equal(w.size, 16);
}

/* Twice 150 ms and 100 ms more. */
static void takes_no_distance_for_a_busy_server(void **state) {
    struct window w = window_new(MOST);

    (void)state;
    answer(&w, 8, 0, 150 * MS);
    assert_int_equal(w.size, 16);
    answer(&w, 16, 1000 * MS, 400 * MS);
    assert_int_equal(w.size, 32);
    answer(&w, 1, 2000 * MS, 400 * MS + 1);
    assert_int_equal(w.size, 16);
}

static void takes_a_tenth_of_the_timeout_for_long_anywhere(void **state) {
    struct window w = window_new(MOST);

    (void)state;
    window_answered(&w, 0, 1000 * MS, TIMEOUT);
    assert_int_equal(w.size, 9);
    window_answered(&w, 2000 * MS, 3000 * MS + 1, TIMEOUT);
    assert_int_equal(w.size, 4);
    w = window_new(MOST);
    window_answered(&w, 0, 401 * MS, 4000);
    assert_int_equal(w.size, 4);
}

/* A clock of whole microseconds may say that no time has passed. */
static void takes_an_answer_of_no_time_for_the_best(void **state) {
    struct window w = window_new(MOST);

    (void)state;
    window_answered(&w, 5, 5, TIMEOUT);
    assert_int_equal(w.best, 1);
    window_answered(&w, 5, 5 + 100 * MS, TIMEOUT);
    assert_int_equal(w.best, 1);
}

#define T(f) cmocka_unit_test(f)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(begins_small_and_never_above_its_most),
        T(doubles_with_each_round_of_quick_answers),
        T(is_halved_once_for_what_was_asked_until_then),
        T(always_allows_one),
        T(grows_by_one_a_window_once_it_was_halved),
        T(takes_no_distance_for_a_busy_server),
        T(takes_a_tenth_of_the_timeout_for_long_anywhere),
        T(takes_an_answer_of_no_time_for_the_best),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
