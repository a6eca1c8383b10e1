/* test_hold_memory.c - nerve/services/hold.c when memory runs out
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "csrc/base/error.h"
#include "nerve/services/hold.h"
#include "tests/fake/fake_malloc.c"

#define HOLD(service)                                                          \
    "{\"service\": \"" service "\", \"author\": \"ann\", \"reason\": \"a "     \
    "disk\", \"since_ms\": 1, \"until_ms\": 0}"

static const char text[] =
    "{\"version\": 1, \"holds\": [" HOLD("web") ", " HOLD("api") "]}";

/* Each allocation is refused in turn: there are all holds, or none and why. */
static void no_hold_is_lost_without_a_word(void **state) {
    long before = fake_malloc_live;
    bool over = false;
    int refused = 0;

    (void)state;
    for (size_t n = 1; !over; n++) {
        struct holds holds = {0};
        struct error err = {0};
        int status;

        fake_malloc_left = n;
        status = holds_decode(&holds, text, sizeof(text) - 1, &err);
        over = fake_malloc_left > 0;
        fake_malloc_left = 0;
        refused += status != 0;
        assert_int_equal(holds.count, status == 0 ? 2 : 0);
        assert_int_equal(err.text[0] != '\0', status != 0);
        holds_close(&holds);
        assert_int_equal(fake_malloc_live, before);
    }
    if (fake_malloc_works)
        assert_in_range(refused, 9, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_hold_is_lost_without_a_word),
    };

    json_set_alloc_funcs(fake_malloc_spare, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
