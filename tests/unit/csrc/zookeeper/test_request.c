/* test_request.c - tests of csrc/zookeeper/request.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/clock.h"
#include "csrc/zookeeper/request.h"

static void has_both_replies_ready_before_it_is_sent(void **state) {
    struct request *r = request_new(OP_GET, 7, "/services", NULL, 0);

    (void)state;
    assert_non_null(r);
    assert_int_equal(r->reply->request, 7);
    assert_int_equal(r->lost->request, 7);
    assert_int_equal(r->reply->op, OP_GET);
    assert_int_equal(r->lost->op, OP_GET);
    assert_string_equal(r->reply->path, "/services");
    assert_string_equal(r->lost->path, "/services");
    request_free(r);
}

static void its_reply_says_when_it_was_made(void **state) {
    int64_t before = clock_us();
    struct request *r = request_new(OP_SET, 7, "/services", "", 0);

    (void)state;
    assert_in_range(r->reply->asked_us, before, clock_us());
    assert_in_range(r->lost->asked_us, before, clock_us());
    request_free(r);
}

static void copies_data_with_zero_bytes_inside(void **state) {
    char data[] = "a\0b";
    struct request *r = request_new(OP_CREATE, 1, "/a", data, 3);

    (void)state;
    data[0] = 'x';
    assert_int_equal(r->length, 3);
    assert_memory_equal(r->data, "a\0b", 4);
    request_free(r);
}

static void tells_empty_data_from_none(void **state) {
    struct request *empty = request_new(OP_CREATE, 1, "/a", "", 0);
    struct request *none = request_new(OP_DELETE, 2, "/a", NULL, 0);

    (void)state;
    assert_non_null(empty->data);
    assert_null(none->data);
    request_free(empty);
    request_free(none);
}

static void allows_no_request_to_free(void **state) {
    (void)state;
    request_free(NULL);
}

/* A list of three requests, numbered by their replies. */
struct three {
    struct request_list list;
    struct request *r[3];
};

static void three_make(struct three *t) {
    memset(t, 0, sizeof(*t));
    for (int i = 0; i < 3; i++) {
        t->r[i] = request_new(OP_GET, (uint64_t)i, "/", NULL, 0);
        request_append(&t->list, t->r[i]);
    }
}

static void three_free(struct three *t) {
    for (int i = 0; i < 3; i++)
        request_free(t->r[i]);
}

static void lists_requests_in_the_order_they_came(void **state) {
    struct three t;

    (void)state;
    three_make(&t);
    assert_int_equal(t.list.count, 3);
    assert_ptr_equal(t.list.head, t.r[0]);
    assert_ptr_equal(t.r[0]->next, t.r[1]);
    assert_ptr_equal(t.r[1]->next, t.r[2]);
    assert_ptr_equal(t.list.tail, t.r[2]);
    assert_null(t.r[2]->next);
    three_free(&t);
}

static void takes_a_request_out_of_the_middle(void **state) {
    struct three t;

    (void)state;
    three_make(&t);
    request_remove(&t.list, t.r[1]);
    assert_int_equal(t.list.count, 2);
    assert_ptr_equal(t.r[0]->next, t.r[2]);
    assert_ptr_equal(t.r[2]->prev, t.r[0]);
    assert_null(t.r[1]->next);
    assert_null(t.r[1]->prev);
    three_free(&t);
}

static void takes_requests_off_both_ends_until_it_is_empty(void **state) {
    struct three t;

    (void)state;
    three_make(&t);
    request_remove(&t.list, t.r[0]);
    assert_ptr_equal(t.list.head, t.r[1]);
    assert_null(t.r[1]->prev);
    request_remove(&t.list, t.r[2]);
    assert_ptr_equal(t.list.tail, t.r[1]);
    request_remove(&t.list, t.r[1]);
    assert_null(t.list.head);
    assert_null(t.list.tail);
    assert_int_equal(t.list.count, 0);
    three_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_both_replies_ready_before_it_is_sent),
        cmocka_unit_test(its_reply_says_when_it_was_made),
        cmocka_unit_test(copies_data_with_zero_bytes_inside),
        cmocka_unit_test(tells_empty_data_from_none),
        cmocka_unit_test(allows_no_request_to_free),
        cmocka_unit_test(lists_requests_in_the_order_they_came),
        cmocka_unit_test(takes_a_request_out_of_the_middle),
        cmocka_unit_test(takes_requests_off_both_ends_until_it_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
