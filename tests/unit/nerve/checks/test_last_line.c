/* test_last_line.c - tests of nerve/checks/last_line.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/checks/last_line.h"

static void the_last_line_that_holds_something_is_kept(void **state) {
    static const struct {
        const char *output;
        const char *last;
    } cases[] = {
        {"", ""},           {"\n\n", ""},        {"one", "one"},
        {"one\n", "one"},   {"one\ntwo", "two"}, {"one\ntwo\n\n", "two"},
        {"one\r\n", "one"}, {"50%\r51%", "51%"}, {"\none\n", "one"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct last_line whole = {0}, parts = {0};
        const char *output = cases[i].output;

        last_line_add(&whole, output, strlen(output));
        assert_string_equal(whole.text, cases[i].last);
        for (; *output; output++)
            last_line_add(&parts, output, 1);
        assert_string_equal(parts.text, cases[i].last);
    }
}

static void of_a_long_line_the_beginning_is_kept(void **state) {
    struct last_line l = {0};

    (void)state;
    last_line_add(&l, "begin ", 6);
    for (int i = 0; i < 100000; i++)
        last_line_add(&l, "xy", 2);
    assert_int_equal(strlen(l.text), sizeof(l.text) - 1);
    assert_memory_equal(l.text, "begin xyxy", 10);
    last_line_add(&l, "\nshort", 6);
    assert_string_equal(l.text, "short");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_line_that_holds_something_is_kept),
        cmocka_unit_test(of_a_long_line_the_beginning_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
