/* test_holds.c - tests of nerve/operator/holds.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csrc/base/event.h"
#include "nerve/operator/holds.h"

/* A disk may be slow, and the next change may need no disk, or may not even
 * come to it: a request that waited for the write waited forever. */
static void a_write_that_ends_late_ends_no_later_one_anew(void **state) {
    struct holds_file store = {.written = 1};
    struct event slow = {.type = EVENT_JOB, .request = 1, .code = EIO};
    uint32_t last = holds_file_write(&store);
    int error;

    (void)state;
    assert_int_equal(holds_file_kept(&store, last, &error), HOLD_KEPT);
    holds_file_absorb(&store, &slow);
    assert_int_equal(holds_file_kept(&store, last, &error), HOLD_KEPT);
    holds_file_close(&store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_ends_late_ends_no_later_one_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
