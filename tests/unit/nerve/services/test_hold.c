/* test_hold.c - tests of nerve/services/hold.c
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

static void put(struct holds *holds, const char *service, bool out,
                int64_t until_ms) {
    struct hold hold = {.service = strdup(service),
                        .out = out,
                        .weight = out ? 0 : 3,
                        .drain_ms = 20000,
                        .reason = out ? strdup("a \"new\" disk") : NULL,
                        .author = strdup("ann"),
                        .since_ms = 1000,
                        .until_ms = until_ms};

    assert_int_equal(holds_put(holds, &hold), 0);
    assert_null(hold.service);
}

static void a_service_has_one_hold_at_most(void **state) {
    struct holds holds = {0};

    (void)state;
    assert_null(holds_find(&holds, "web"));
    assert_false(holds_end(&holds, "web"));
    put(&holds, "web", false, 0);
    put(&holds, "api", true, 0);
    put(&holds, "web", true, 0);
    assert_int_equal(holds.count, 2);
    assert_true(holds_find(&holds, "web")->out);
    assert_true(holds_end(&holds, "web"));
    assert_false(holds_end(&holds, "web"));
    assert_null(holds_find(&holds, "web"));
    assert_string_equal(holds_find(&holds, "api")->author, "ann");
    holds_close(&holds);
}

static void a_hold_is_over_at_its_time_or_never(void **state) {
    struct holds holds = {0};

    (void)state;
    put(&holds, "web", true, 0);
    put(&holds, "api", true, 5000);
    holds.list[1].ends_ms = 700;
    assert_null(holds_expired(&holds, 1000, 699));
    assert_string_equal(holds_expired(&holds, 1001, 700)->service, "api");
    holds_end(&holds, "api");
    assert_null(holds_expired(&holds, INT64_MAX, INT64_MAX));
    holds_close(&holds);
}

/* A clock that was set three hours ahead, and right again five seconds later,
 * ended what was to last an hour: the instance was back in traffic. */
static void a_clock_that_is_set_ends_no_hold(void **state) {
    struct holds holds = {0};

    (void)state;
    put(&holds, "web", true, 5000);
    holds.list[0].ends_ms = 4000;
    assert_null(holds_expired(&holds, 1000, 0));
    assert_null(holds_expired(&holds, 10800000, 10));
    assert_int_equal(holds.list[0].until_ms, 10803990);
    assert_null(holds_expired(&holds, 1020, 20));
    assert_int_equal(holds.list[0].until_ms, 5000);
    assert_non_null(holds_expired(&holds, 5000, 4000));
    holds_close(&holds);
}

/* Once the clock is right it only goes on: what it shows is kept, and a hold
 * of this boot ends by it after the next one. */
static void the_last_time_seen_is_kept_once_the_clock_is_right(void **state) {
    struct holds holds = {.seen_ms = 1000};

    (void)state;
    assert_null(holds_expired(&holds, 2000, 1));
    assert_int_equal(holds.seen_ms, 2000);
    put(&holds, "web", true, 5000);
    assert_null(holds_expired(&holds, 3000, HOLD_SETTLED_MS - 1));
    assert_int_equal(holds.seen_ms, 2000);
    assert_null(holds_expired(&holds, 3000, HOLD_SETTLED_MS));
    assert_int_equal(holds.seen_ms, 3000);
    holds_close(&holds);
}

static void a_hold_that_is_closed_owns_nothing(void **state) {
    struct hold hold = {.service = strdup("web"), .author = strdup("ann")};

    (void)state;
    hold_close(&hold);
    assert_null(hold.service);
    assert_null(hold.author);
    hold_close(&hold);
}

/* JSON's allocations until one is refused. */
static size_t left;

static void *refuse(size_t size) {
    return left > 0 && --left == 0 ? NULL : malloc(size);
}

/* With address sanitizer nothing may be left either. */
static void without_memory_a_hold_has_no_text(void **state) {
    char service[] = "web", reason[] = "a disk", author[] = "ann";
    const struct hold hold = {.service = service,
                              .reason = reason,
                              .author = author,
                              .until_ms = 5000,
                              .ends_ms = 4000};
    json_t *json = NULL;

    (void)state;
    json_set_alloc_funcs(refuse, free);
    for (size_t n = 1; !json; n++) {
        left = n;
        json = hold_json(&hold);
        assert_true(!json == !left);
    }
    json_set_alloc_funcs(malloc, free);
    assert_string_equal(json_string_value(json_object_get(json, "reason")),
                        "a disk");
    assert_int_equal(json_integer_value(json_object_get(json, "ends_ms")),
                     4000);
    json_decref(json);
}

/* Reads what <holds> were kept as, in the boot <boot>. */
static struct holds kept(const struct holds *holds, const char *boot) {
    struct holds again = {0};
    struct error err = {0};
    char *text = holds_encode(holds);

    strcpy(again.boot, boot);
    assert_int_equal(holds_decode(&again, text, strlen(text), &err), 0);
    free(text);
    return again;
}

static void a_hold_of_this_boot_ends_as_it_would_have(void **state) {
    struct holds holds = {.boot = "this", .seen_ms = 1000}, again;

    (void)state;
    put(&holds, "web", true, 5000);
    holds.list[0].ends_ms = 4000;
    again = kept(&holds, "this");
    assert_null(holds_expired(&again, 10800000, 3999));
    assert_non_null(holds_expired(&again, 10800000, 4000));
    holds_close(&again);
    holds_close(&holds);
}

/* After a boot the clock may be hours off until it is set. */
static void a_hold_of_another_boot_ends_once_the_clock_is_right(void **state) {
    struct holds holds = {.boot = "before", .seen_ms = 1000}, again;
    const int64_t settled = HOLD_SETTLED_MS;

    (void)state;
    put(&holds, "web", true, 5000);
    holds.list[0].ends_ms = 4000;
    again = kept(&holds, "this");
    assert_null(holds_expired(&again, 10800000, 20));
    assert_null(holds_expired(&again, 3000, settled - 1));
    assert_null(holds_expired(&again, 3001, settled));
    assert_non_null(holds_expired(&again, 5000, settled + 1999));
    holds_close(&again);
    again = kept(&holds, "this");
    assert_null(holds_expired(&again, 10, settled));
    assert_null(holds_expired(&again, 10, settled + 3999));
    assert_non_null(holds_expired(&again, 10, settled + 4000));
    holds_close(&again);
    holds_close(&holds);
}

static void what_is_kept_is_read_again_as_it_was(void **state) {
    struct holds holds = {0}, again = {0};
    struct error err = {0};
    char *text, *second;

    (void)state;
    put(&holds, "web", true, 5000);
    put(&holds, "api", false, 0);
    text = holds_encode(&holds);
    assert_int_equal(holds_decode(&again, text, strlen(text), &err), 0);
    second = holds_encode(&again);
    assert_string_equal(text, second);
    assert_string_equal(holds_find(&again, "web")->reason, "a \"new\" disk");
    assert_int_equal(holds_find(&again, "web")->until_ms, 5000);
    assert_null(holds_find(&again, "api")->reason);
    free(text);
    free(second);
    holds_close(&again);
    holds_close(&holds);
}

#define HOLD(member)                                                           \
    "{\"version\": 1, \"holds\": [{" member ", \"author\": \"a\","             \
    "\"since_ms\": 1, \"until_ms\": 0}]}"

static void what_is_not_kept_so_is_refused_with_its_place(void **state) {
    static const char *const cases[][2] = {
        {"", "line 1, column 0: "},
        {"[]", "no holds of version 1"},
        {"{\"version\": 2, \"holds\": []}", "no holds of version 1"},
        {"{\"version\": 1, \"holds\": [7]}", "holds[0]: must be an object"},
        {"{\"version\": 1, \"holds\": [{}]}", "holds[0].service: missing"},
        {HOLD("\"service\": \"a\", \"weight\": -1"),
         "holds[0].weight: -1 is not a weight"},
        {HOLD("\"service\": \"a\", \"drain_ms\": 1e9"),
         "holds[0].drain_ms: 1e9 is not a whole number"},
        {HOLD("\"service\": \"a\\nb\""), "holds[0].service: "},
        {"{\"version\": 1, \"holds\": [{\"service\": \"a\", \"author\": "
         "\"a\", \"since_ms\": 1, \"until_ms\": -1}]}",
         "holds[0].until_ms: -1 is not a moment"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct holds holds = {0};
        struct error err = {0};

        assert_int_equal(
            holds_decode(&holds, cases[i][0], strlen(cases[i][0]), &err), -1);
        if (strncmp(err.text, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("%s: %s", cases[i][0], err.text);
        assert_int_equal(holds.count, 0);
        assert_null(holds.list);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_has_one_hold_at_most),
        cmocka_unit_test(a_hold_is_over_at_its_time_or_never),
        cmocka_unit_test(a_clock_that_is_set_ends_no_hold),
        cmocka_unit_test(the_last_time_seen_is_kept_once_the_clock_is_right),
        cmocka_unit_test(a_hold_that_is_closed_owns_nothing),
        cmocka_unit_test(without_memory_a_hold_has_no_text),
        cmocka_unit_test(a_hold_of_this_boot_ends_as_it_would_have),
        cmocka_unit_test(a_hold_of_another_boot_ends_once_the_clock_is_right),
        cmocka_unit_test(what_is_kept_is_read_again_as_it_was),
        cmocka_unit_test(what_is_not_kept_so_is_refused_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
