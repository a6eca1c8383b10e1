/* test_hash.c - tests of csrc/base/hash.c; the numbers are those that FNV's
 * authors give for these texts SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csrc/base/hash.h"

static void texts_have_the_numbers_of_fnv(void **state) {
    (void)state;
    assert_int_equal(hash_text(""), 0x811c9dc5);
    assert_int_equal(hash_text("a"), 0xe40c292c);
    assert_int_equal(hash_text("foobar"), 0xbf9cf968);
}

static void bytes_have_the_numbers_of_fnv(void **state) {
    (void)state;
    assert_int_equal(hash_bytes("", 0), UINT64_C(0xcbf29ce484222325));
    assert_int_equal(hash_bytes("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    assert_int_equal(hash_bytes("foobar", 6), UINT64_C(0x85944171f73967e8));
}

/* A char may be signed. */
static void bytes_above_127_count_as_they_are(void **state) {
    (void)state;
    assert_int_equal(hash_text("\xff"), (0x811c9dc5U ^ 0xffU) * 0x01000193U);
}

static void a_zero_byte_counts(void **state) {
    (void)state;
    assert_int_not_equal(hash_bytes("a\0b", 3), hash_bytes("a\0c", 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_the_numbers_of_fnv),
        cmocka_unit_test(bytes_have_the_numbers_of_fnv),
        cmocka_unit_test(bytes_above_127_count_as_they_are),
        cmocka_unit_test(a_zero_byte_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
