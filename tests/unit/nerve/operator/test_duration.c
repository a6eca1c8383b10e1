/* test_duration.c - tests of nerve/operator/duration.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/operator/duration.h"

static void units_are_read(void **state) {
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"0", 0},          {"90", 90000},      {"500ms", 500},
                 {"20s", 20000},    {"30m", 1800000},   {"2h", 7200000},
                 {"7d", 604800000}, {"90d", 7776000000}};
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(duration_read(cases[i].text, &ms), 0);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void what_is_no_time_or_too_long_is_refused(void **state) {
    static const char *const cases[] = {
        "",   "s",     "-1s", "1.5h",        "1 s",
        "1S", "1h30m", "91d", "99999999999", "7776001"};
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(duration_read(cases[i], &ms), -1);
}

static void two_units_are_written_at_most(void **state) {
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{-5, "0ms"},        {0, "0ms"},         {999, "999ms"},
                 {1000, "1s"},       {59999, "59s"},     {60000, "1m"},
                 {61000, "1m1s"},    {5369999, "1h29m"}, {86400000, "1d"},
                 {90061000, "1d1h"}, {7776000000, "90d"}};
    char text[40];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        duration_write(cases[i].ms, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_read),
        cmocka_unit_test(what_is_no_time_or_too_long_is_refused),
        cmocka_unit_test(two_units_are_written_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
