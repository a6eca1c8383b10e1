/* test_value.c - tests of nerve/config/value.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/config/value.h"

#define SIXTY_FOUR                                                             \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void counts_the_letters_that_differ(void **state) {
    static const struct {
        const char *a, *b;
        size_t distance;
    } cases[] = {
        {"", "", 0},
        {"", "rise", 4},
        {"rise", "rise", 0},
        {"rise", "ris", 1},
        {"rise", "rises", 1},
        {"rise", "rite", 1},
        {"weight", "wieght", 1},
        {"checks", "chekcs", 1},
        {"ab", "ba", 1},
        {"abc", "cab", 2},
        {"timeout", "time_out", 1},
        {"zk_hosts", "zkhost", 2},
        {"host", "weight", 5},
        {SIXTY_FOUR, SIXTY_FOUR, 0},
        {SIXTY_FOUR "x", SIXTY_FOUR "x", 64},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        print_message("  %s %s\n", cases[i].a, cases[i].b);
        assert_int_equal(nearest_distance(cases[i].a, cases[i].b),
                         cases[i].distance);
        assert_int_equal(nearest_distance(cases[i].b, cases[i].a),
                         cases[i].distance);
    }
}

static void a_third_of_a_word_may_be_wrong_and_one_letter_always(void **s) {
    (void)s;
    assert_int_equal(nearest_limit("ri"), 1);
    assert_int_equal(nearest_limit("rise"), 1);
    assert_int_equal(nearest_limit("weight"), 2);
    assert_int_equal(nearest_limit("check_interval"), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_the_letters_that_differ),
        cmocka_unit_test(a_third_of_a_word_may_be_wrong_and_one_letter_always),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
