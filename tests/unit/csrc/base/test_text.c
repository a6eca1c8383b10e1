/* test_text.c - tests of csrc/base/text.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/text.h"

static void assert_taken(struct text *t, const char *wanted) {
    char *taken = text_take(t);

    assert_non_null(taken);
    assert_string_equal(taken, wanted);
    assert_null(t->data);
    free(taken);
}

static void puts_parts_together(void **state) {
    struct text t = {0};

    (void)state;
    text_puts(&t, "one");
    text_add(&t, ", two!", 5);
    text_printf(&t, ", %d", 3);
    assert_taken(&t, "one, two, 3");
}

static void is_empty_when_nothing_was_added(void **state) {
    struct text t = {0};

    (void)state;
    assert_taken(&t, "");
    text_puts(&t, "");
    assert_taken(&t, "");
}

static void grows_as_far_as_needed(void **state) {
    struct text t = {0};
    char *taken;

    (void)state;
    for (int i = 0; i < 10000; i++)
        text_puts(&t, "0123456789");
    taken = text_take(&t);
    assert_int_equal(strlen(taken), 100000);
    free(taken);
}

static void escapes_json_as_ruby_does(void **state) {
    static const char given[] = "a/b \"c\" \\ \b\f\n\r\t \x01\x1f\x7f \xc3\xa9";
    struct text t = {0};

    (void)state;
    text_json(&t, given, strlen(given));
    assert_taken(&t, "\"a/b \\\"c\\\" \\\\ \\b\\f\\n\\r\\t \\u0001\\u001f\x7f "
                     "\xc3\xa9\"");
    text_json(&t, "a\0b", 3);
    assert_taken(&t, "\"a\\u0000b\"");
}

/* The caller looks at the end alone. */
static void a_failure_stays_until_the_text_is_taken(void **state) {
    struct text t = {.failed = true};

    (void)state;
    text_puts(&t, "lost");
    text_printf(&t, "%s", "lost");
    text_json(&t, "lost", 4);
    assert_null(text_take(&t));
    text_puts(&t, "kept");
    assert_taken(&t, "kept");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_parts_together),
        cmocka_unit_test(is_empty_when_nothing_was_added),
        cmocka_unit_test(grows_as_far_as_needed),
        cmocka_unit_test(escapes_json_as_ruby_does),
        cmocka_unit_test(a_failure_stays_until_the_text_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
