/* test_write_stats.c - tests of nerve/register/write_stats.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/event.h"
#include "csrc/zookeeper/session.h"
#include "nerve/register/write_stats.h"

static void only_answers_to_writes_count(void **state) {
    struct event events[] = {{.type = EVENT_WATCH, .op = OP_CREATE},
                             {.type = EVENT_REPLY, .op = OP_GET},
                             {.type = EVENT_REPLY, .op = OP_SYNC}};
    struct writes w = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        writes_count(&w, &events[i]);
    for (size_t op = 0; op < WRITE_OPS; op++)
        assert_int_equal(histogram_count(&w.took[op]), 0);
}

static void each_kind_is_counted_with_its_time(void **state) {
    struct event ev = {
        .type = EVENT_REPLY, .op = OP_SET, .asked_us = 1000, .time_us = 3500};
    struct writes w = {0};

    (void)state;
    writes_count(&w, &ev);
    ev.op = OP_DELETE;
    writes_count(&w, &ev);
    writes_count(&w, &ev);
    assert_int_equal(histogram_count(&w.took[WRITE_CREATE]), 0);
    assert_int_equal(histogram_count(&w.took[WRITE_SET]), 1);
    assert_int_equal(histogram_count(&w.took[WRITE_DELETE]), 2);
    assert_int_equal(w.took[WRITE_DELETE].sum_us, 5000);
}

static void an_answer_that_was_to_be_expected_is_no_failure(void **state) {
    static const struct {
        int code;
        int failures;
    } cases[] = {
        {SESSION_OK, 0},          {SESSION_NO_NODE, 0},
        {SESSION_NODE_EXISTS, 0}, {SESSION_BAD_VERSION, 0},
        {SESSION_NO_AUTH, 1},     {SESSION_LOST, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct event ev = {
            .type = EVENT_REPLY, .op = OP_CREATE, .code = cases[i].code};
        struct writes w = {0};

        writes_count(&w, &ev);
        assert_int_equal(w.failures[WRITE_CREATE], cases[i].failures);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_answers_to_writes_count),
        cmocka_unit_test(each_kind_is_counted_with_its_time),
        cmocka_unit_test(an_answer_that_was_to_be_expected_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
