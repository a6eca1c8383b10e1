/* test_systemd.c - tests of how often nerve/process/systemd.c gives a sign of
 * life SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/process/systemd.h"

static char *usec, *whose;

static char *fake_getenv(const char *name) {
    return strcmp(name, "WATCHDOG_USEC") == 0 ? usec : whose;
}

static uint64_t interval(char *new_usec, char *new_whose) {
    usec = new_usec;
    whose = new_whose;
    return notify_interval(fake_getenv, 123);
}

static void it_is_half_of_what_is_asked_for(void **state) {
    char ten[] = "10000000", odd[] = "1000", us[] = "123";

    (void)state;
    assert_int_equal(interval(ten, us), 5000);
    assert_int_equal(interval(ten, NULL), 5000);
    assert_int_equal(interval(odd, us), 0);
}

static void none_is_given_where_none_is_asked_for(void **state) {
    char ten[] = "10000000", other[] = "124", us[] = "123", text[] = "soon";

    (void)state;
    assert_int_equal(interval(NULL, NULL), 0);
    assert_int_equal(interval(NULL, us), 0);
    assert_int_equal(interval(ten, other), 0);
    assert_int_equal(interval(text, us), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_half_of_what_is_asked_for),
        cmocka_unit_test(none_is_given_where_none_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
