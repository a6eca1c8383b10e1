/* test_plan.c - tests of nerve/register/plan.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/register/plan.h"

#define MINUTE 60000

static void add(struct registration *r, const char *path) {
    assert_int_equal(registration_add(r, strdup(path), true), 0);
}

static void waits_until_it_is_connected(void **state) {
    struct registration r = {.wanted = true};

    (void)state;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WAIT);
    r.connected = true;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_CREATE);
}

static void sends_one_request_at_a_time(void **state) {
    struct registration r = {
        .wanted = true, .connected = true, .in_flight = true};

    (void)state;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WAIT);
}

static void creates_watches_and_deletes_as_wanted(void **state) {
    struct registration r = {.connected = true};

    (void)state;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WAIT);
    r.wanted = true;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_CREATE);
    add(&r, "/a/i_1");
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WATCH);
    r.znodes[0].watched = true;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WAIT);
    r.wanted = false;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_DELETE);
    assert_true(registration_remove(&r, "/a/i_1"));
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WAIT);
    registration_close(&r);
}

static void sets_data_that_is_not_what_it_should_be(void **state) {
    struct registration r = {.wanted = true, .connected = true};

    (void)state;
    assert_int_equal(registration_add(&r, strdup("/a/i_1"), false), 0);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_SET);
    r.znodes[0].current = true;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WATCH);
    registration_close(&r);
}

static void
a_znode_that_is_to_have_another_name_is_made_before_it_goes(void **state) {
    struct registration r = {.connected = true, .wanted = true};

    (void)state;
    add(&r, "/a/old_1");
    registration_rename(&r);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_CREATE);
    add(&r, "/a/new_2");
    assert_string_equal(r.znodes[0].path, "/a/new_2");
    assert_int_equal(registration_next(&r, 0), REGISTRATION_DELETE);
    assert_string_equal(r.znodes[1].path, "/a/old_1");
    registration_remove(&r, "/a/old_1");
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WATCH);
    registration_rename(&r);
    r.wanted = false;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_DELETE);
    registration_close(&r);
}

static void settles_a_lost_answer_before_anything_else(void **state) {
    struct registration r = {.wanted = true, .connected = true};

    (void)state;
    registration_unsettle(&r);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_SYNC);
    r.synced = true;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_LIST);
    registration_listed(&r);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_CREATE);
    registration_unsettle(&r);
    r.wanted = false;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_SYNC);
    registration_close(&r);
}

static void looks_at_every_candidate_once(void **state) {
    struct registration r = {.wanted = true, .connected = true};
    char *path;

    (void)state;
    add(&r, "/a/i_1");
    registration_unsettle(&r);
    r.synced = true;
    registration_add_candidate(&r, strdup("/a/i_1"));
    registration_add_candidate(&r, strdup("/a/i_2"));
    registration_add_candidate(&r, strdup("/a/i_3"));
    registration_listed(&r);
    assert_int_equal(r.candidate_count, 2);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_INSPECT);
    path = registration_take_candidate(&r);
    assert_string_equal(path, "/a/i_2");
    assert_int_equal(registration_add(&r, path, true), 0);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_INSPECT);
    free(registration_take_candidate(&r));
    assert_int_equal(registration_next(&r, 0), REGISTRATION_DELETE);
    assert_true(registration_remove(&r, "/a/i_1"));
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WATCH);
    assert_string_equal(r.znodes[0].path, "/a/i_2");
    registration_close(&r);
}

/* It looks for its own now, and not for an earlier run's. */
static void a_lost_answer_begins_to_look_anew(void **state) {
    struct registration r = {.wanted = true,
                             .connected = true,
                             .synced = true,
                             .listed = true,
                             .searching = true};

    (void)state;
    registration_add_candidate(&r, strdup("/a/i_1"));
    registration_unsettle(&r);
    assert_int_equal(r.candidate_count, 0);
    assert_false(r.searching);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_SYNC);
    r.synced = true;
    assert_int_equal(registration_next(&r, 0), REGISTRATION_LIST);
    registration_close(&r);
}

static void a_lost_session_leaves_nothing(void **state) {
    struct registration r = {.wanted = true, .connected = true};

    (void)state;
    add(&r, "/a/i_1");
    registration_unsettle(&r);
    registration_add_candidate(&r, strdup("/a/i_2"));
    r.searching = true;
    r.search_at_ms = 5;
    registration_parent_missing(&r, "/a/i_1");
    registration_lose_session(&r);
    assert_int_equal(r.count, 0);
    assert_int_equal(r.candidate_count, 0);
    assert_false(r.searching);
    assert_int_equal(r.search_at_ms, 0);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_CREATE);
    registration_close(&r);
}

static void a_new_handle_sets_the_watch_again(void **state) {
    struct registration r = {.wanted = true, .connected = true};

    (void)state;
    add(&r, "/a/i_1");
    r.znodes[0].watched = true;
    registration_lose_watches(&r);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_WATCH);
    registration_close(&r);
}

static void makes_parents_from_the_lowest_that_is_missing(void **state) {
    struct registration r = {.wanted = true, .connected = true};
    static const char path[] = "/one/two/three";

    (void)state;
    assert_int_equal(registration_parent_missing(&r, path), 0);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_MAKE_PARENT);
    assert_int_equal(r.parent_length, strlen("/one/two/three"));
    assert_int_equal(registration_parent_missing(&r, path), 0);
    assert_int_equal(r.parent_length, strlen("/one/two"));
    registration_parent_made(&r, path);
    assert_int_equal(r.parent_length, strlen("/one/two/three"));
    registration_parent_made(&r, path);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_CREATE);
}

/* As with a chroot that does not exist. */
static void gives_up_where_even_the_first_part_has_no_parent(void **state) {
    struct registration r = {.wanted = true, .connected = true};

    (void)state;
    assert_int_equal(registration_parent_missing(&r, "/one/two"), 0);
    assert_int_equal(registration_parent_missing(&r, "/one/two"), 0);
    assert_int_equal(r.parent_length, strlen("/one"));
    assert_int_equal(registration_parent_missing(&r, "/one/two"), -1);
    assert_int_equal(registration_next(&r, 0), REGISTRATION_CREATE);
}

static void failures_put_the_next_step_off_longer_and_longer(void **state) {
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 30, 30};
    struct registration r = {.wanted = true, .connected = true};
    int64_t now = 5000;

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(registration_failed(&r, now), seconds[i] * 1000);
        now += seconds[i] * 1000 - 1;
        assert_int_equal(registration_next(&r, now), REGISTRATION_WAIT);
        assert_int_equal(registration_next(&r, ++now), REGISTRATION_CREATE);
    }
    registration_succeeded(&r);
    assert_int_equal(registration_failed(&r, now), 1000);
}

static void three_deletions_a_minute_are_made_good_at_once(void **state) {
    struct registration r = {.wanted = true, .connected = true};
    int64_t now = 5000;

    (void)state;
    for (int i = 0; i < 12; i++, now += MINUTE / 3)
        assert_int_equal(registration_deleted(&r, now), 0);
    assert_int_equal(registration_next(&r, now), REGISTRATION_CREATE);
}

static void more_deletions_are_made_good_later_and_later(void **state) {
    static const int64_t seconds[] = {0, 0, 0, 2, 4, 8, 16, 30, 30, 30};
    struct registration r = {.wanted = true, .connected = true};
    int64_t now = 5000;

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(registration_deleted(&r, now), seconds[i] * 1000);
        now += seconds[i] * 1000;
        assert_int_equal(registration_next(&r, now), REGISTRATION_CREATE);
        now += 10;
    }
    now += 2 * MINUTE;
    assert_int_equal(registration_deleted(&r, now), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_until_it_is_connected),
        cmocka_unit_test(sends_one_request_at_a_time),
        cmocka_unit_test(creates_watches_and_deletes_as_wanted),
        cmocka_unit_test(sets_data_that_is_not_what_it_should_be),
        cmocka_unit_test(
            a_znode_that_is_to_have_another_name_is_made_before_it_goes),
        cmocka_unit_test(settles_a_lost_answer_before_anything_else),
        cmocka_unit_test(looks_at_every_candidate_once),
        cmocka_unit_test(a_lost_answer_begins_to_look_anew),
        cmocka_unit_test(a_lost_session_leaves_nothing),
        cmocka_unit_test(a_new_handle_sets_the_watch_again),
        cmocka_unit_test(makes_parents_from_the_lowest_that_is_missing),
        cmocka_unit_test(gives_up_where_even_the_first_part_has_no_parent),
        cmocka_unit_test(failures_put_the_next_step_off_longer_and_longer),
        cmocka_unit_test(three_deletions_a_minute_are_made_good_at_once),
        cmocka_unit_test(more_deletions_are_made_good_later_and_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
