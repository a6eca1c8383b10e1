/* test_error.c - tests of csrc/base/error.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/error.h"

static void writes_the_formatted_text(void **state) {
    struct error err = {.text = ""};

    (void)state;
    error_set(&err, "services[%d].port: %s", 2, "missing");
    assert_string_equal(err.text, "services[2].port: missing");
}

static void keeps_the_first_error(void **state) {
    struct error err = {.text = ""};

    (void)state;
    error_set(&err, "first");
    error_set(&err, "second");
    assert_string_equal(err.text, "first");
}

static void cuts_a_text_at_its_size(void **state) {
    struct error err = {.text = ""};

    (void)state;
    error_set(&err, "%600s", "end");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void allows_no_error_to_write_to(void **state) {
    (void)state;
    error_set(NULL, "nobody reads %s", "this");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_formatted_text),
        cmocka_unit_test(keeps_the_first_error),
        cmocka_unit_test(cuts_a_text_at_its_size),
        cmocka_unit_test(allows_no_error_to_write_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
