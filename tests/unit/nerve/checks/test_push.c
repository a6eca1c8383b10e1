/* test_push.c - tests of nerve/checks/push.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/checks/push.h"

static void assert_well(const struct push_report *r, uint64_t now_ms) {
    char why[60] = "";

    assert_true(push_is_well(r, 30000, now_ms, why, sizeof(why)));
    assert_string_equal(why, "");
    assert_true(push_is_well(r, 30000, now_ms, NULL, 0));
}

static void assert_ill(const struct push_report *r, uint64_t now_ms,
                       const char *wanted) {
    char why[60] = "";

    assert_false(push_is_well(r, 30000, now_ms, why, sizeof(why)));
    assert_string_equal(why, wanted);
    assert_false(push_is_well(r, 30000, now_ms, NULL, 0));
}

static void is_not_well_before_its_first_report(void **state) {
    struct push_report r = {.word = PUSH_NOTHING};

    (void)state;
    assert_ill(&r, 0, "no report yet");
    assert_ill(&r, 5000000, "no report yet");
}

static void is_well_until_it_is_silent_for_its_ttl(void **state) {
    struct push_report r = {.word = PUSH_NOTHING};

    (void)state;
    push_say(&r, PUSH_PASS, NULL, 5000);
    assert_well(&r, 5000);
    assert_well(&r, 35000);
    assert_ill(&r, 35001, "no report within 30000 ms");
    push_say(&r, PUSH_PASS, NULL, 40000);
    assert_well(&r, 70000);
    assert_int_equal(push_silence(&r, 70000), 30000);
}

static void fails_until_it_passes_again(void **state) {
    struct push_report r = {.word = PUSH_NOTHING};

    (void)state;
    push_say(&r, PUSH_PASS, NULL, 5000);
    push_say(&r, PUSH_FAIL, "disk full", 6000);
    assert_ill(&r, 6000, "it says that it fails: disk full");
    assert_ill(&r, 6000000, "it says that it fails: disk full");
    push_say(&r, PUSH_FAIL, NULL, 7000);
    assert_ill(&r, 7000, "it says that it fails");
    push_say(&r, PUSH_PASS, NULL, 8000);
    assert_well(&r, 8000);
}

/* A nerve that was stopped for longer than the ttl heard nothing: that is not
 * the service's silence. Only the time by which a pass was late was left out,
 * so a stop between two passes counted. */
static void time_in_which_the_loop_does_not_turn_is_not_heard(void **state) {
    struct hearing h = {0};

    (void)state;
    assert_int_equal(hearing_ms(&h, 5000), 5000);
    assert_int_equal(hearing_ms(&h, 5000), 5000);
    assert_int_equal(hearing_ms(&h, 5200), 5200);
    assert_int_equal(hearing_ms(&h, 105200), 5400);
    assert_int_equal(hearing_ms(&h, 105300), 5500);
    assert_int_equal(hearing_ms(&h, 105551), 5700);
    /* A timer that is a little late is not a stop. */
    assert_int_equal(hearing_ms(&h, 105801), 5950);
}

static void a_reason_has_an_end(void **state) {
    struct push_report r = {.word = PUSH_NOTHING};
    char longer[PUSH_REASON_MAX + 20];

    (void)state;
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    push_say(&r, PUSH_FAIL, longer, 1);
    assert_int_equal(strlen(r.reason), PUSH_REASON_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_not_well_before_its_first_report),
        cmocka_unit_test(is_well_until_it_is_silent_for_its_ttl),
        cmocka_unit_test(fails_until_it_passes_again),
        cmocka_unit_test(time_in_which_the_loop_does_not_turn_is_not_heard),
        cmocka_unit_test(a_reason_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
