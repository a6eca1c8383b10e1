/* test_credentials.c - tests of csrc/zookeeper/credentials.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csrc/zookeeper/credentials.h"

static void copies_what_it_is_given(void **state) {
    struct credentials *list = NULL;
    char secret[] = "me:\0secret";

    (void)state;
    assert_non_null(credentials_add(&list, "digest", secret, 10));
    secret[0] = 'x';
    assert_string_equal(list->scheme, "digest");
    assert_int_equal(list->length, 10);
    assert_memory_equal(list->secret, "me:\0secret", 11);
    assert_int_equal(list->generation, 0);
    credentials_free(list);
}

static void keeps_the_order_in_which_they_were_added(void **state) {
    struct credentials *list = NULL;

    (void)state;
    credentials_add(&list, "one", "", 0);
    credentials_add(&list, "two", "", 0);
    assert_string_equal(list->scheme, "one");
    assert_string_equal(list->next->scheme, "two");
    assert_null(list->next->next);
    credentials_free(list);
    credentials_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_what_it_is_given),
        cmocka_unit_test(keeps_the_order_in_which_they_were_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
