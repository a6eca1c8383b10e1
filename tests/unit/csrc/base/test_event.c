/* test_event.c - tests of csrc/base/event.c
 *
 * That everything an event owns is freed is seen by the address sanitizer.
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/event.h"

#include "tests/fake/fake_clock.c"

static void is_zeroed_but_for_type_and_time(void **state) {
    struct event *ev;

    (void)state;
    fake_clock_pass_ms(5);
    ev = event_new(EVENT_WATCH);
    assert_non_null(ev);
    assert_int_equal(ev->type, EVENT_WATCH);
    assert_int_equal(ev->time_us, clock_us());
    assert_int_equal(ev->session, 0);
    assert_int_equal(ev->request, 0);
    assert_null(ev->path);
    assert_null(ev->data);
    assert_null(ev->children);
    event_free(ev);
}

static void frees_all_that_it_owns(void **state) {
    struct event *ev = event_new(EVENT_REPLY);

    (void)state;
    ev->path = strdup("/services");
    ev->data = strdup("payload");
    ev->children = calloc(2, sizeof(*ev->children));
    ev->count = 2;
    event_free(ev);
}

static void allows_no_event_to_free(void **state) {
    (void)state;
    event_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_zeroed_but_for_type_and_time),
        cmocka_unit_test(frees_all_that_it_owns),
        cmocka_unit_test(allows_no_event_to_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
