/* test_metrics.c - tests of the page /health in nerve/observe/metrics.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/observe/metrics.h"

static void what_is_as_the_checks_found_it_is_in_order(void **state) {
    (void)state;
    assert_null(health_trouble(HEALTH_UP, true, true, true));
    assert_null(health_trouble(HEALTH_DOWN, true, false, true));
}

static void each_trouble_has_its_words(void **state) {
    static const struct {
        enum health_state state;
        bool connected, registered, settled;
        const char *words;
    } cases[] = {
        {HEALTH_UNKNOWN, true, false, false, "not checked yet"},
        {HEALTH_UP, false, true, true, "out of reach"},
        {HEALTH_DOWN, false, false, true, "out of reach"},
        {HEALTH_UP, true, false, false, "up, but not registered"},
        {HEALTH_UP, true, true, false, "being changed"},
        {HEALTH_DOWN, true, true, false, "down, but still registered"},
        {HEALTH_DOWN, true, false, false, "not known"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *trouble =
            health_trouble(cases[i].state, cases[i].connected,
                           cases[i].registered, cases[i].settled);

        assert_non_null(trouble);
        assert_non_null(strstr(trouble, cases[i].words));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_as_the_checks_found_it_is_in_order),
        cmocka_unit_test(each_trouble_has_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
