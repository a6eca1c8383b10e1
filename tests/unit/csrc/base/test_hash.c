/* test_hash.c - tests of csrc/base/hash.c; the numbers are those that FNV's
 * authors give for these texts SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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

/* Names of znodes are others' choice: a thousand of one place in the table
 * that tells known names made each of forty thousand further ones walk along
 * all of them, at each change of the list. */
static void texts_of_one_place_part_with_a_seed(void **state) {
    enum { PLACES = 2048, TEXTS = 500 };
    unsigned char counts[PLACES] = {0};
    char text[16];
    int found = 0, most = 0;

    (void)state;
    for (int i = 0; found < TEXTS; i++) {
        snprintf(text, sizeof(text), "i_%d", i);
        if (hash_text(text) % PLACES)
            continue;
        found++;
        if (++counts[hash_seeded(text, UINT64_C(0x8badf00d12345678)) % PLACES] >
            most)
            most = counts[hash_seeded(text, UINT64_C(0x8badf00d12345678)) %
                          PLACES];
    }
    assert_in_range(most, 1, 6);
}

static void another_seed_is_another_number(void **state) {
    (void)state;
    assert_int_equal(hash_seeded("a", 1), hash_seeded("a", 1));
    assert_int_not_equal(hash_seeded("a", 1), hash_seeded("a", 2));
    assert_int_not_equal(hash_seeded("a", 1), hash_seeded("b", 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_the_numbers_of_fnv),
        cmocka_unit_test(bytes_have_the_numbers_of_fnv),
        cmocka_unit_test(bytes_above_127_count_as_they_are),
        cmocka_unit_test(a_zero_byte_counts),
        cmocka_unit_test(texts_of_one_place_part_with_a_seed),
        cmocka_unit_test(another_seed_is_another_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
