/* test_published.c - tests of nerve/register/published.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/register/published.h"

#define IDENTITY "{\"host\":\"h\",\"port\":80,\"name\":\"i\""

static char identity[] = IDENTITY;
static char payload[] = IDENTITY ",\"weight\":7}", node[] = "i_";
static char other_payload[] = IDENTITY ",\"labels\":{}}";
static char instance_id[] = "i", encoded_node[] = "base64_0__";

static const struct service_config config = {
    .identity = identity, .payload = payload, .node = node};
static const struct service_config other = {
    .identity = identity, .payload = other_payload, .node = node};
static const struct service_config encoded = {.identity = identity,
                                              .payload = payload,
                                              .node = encoded_node,
                                              .encoded = true,
                                              .instance_id = instance_id};

static enum published_change renew(struct published *w) {
    enum published_change change;

    assert_int_equal(published_renew(w, &change), 0);
    assert_false(w->stale);
    return change;
}

static void without_a_weight_the_configuration_is_shown(void **state) {
    struct published w;

    (void)state;
    published_open(&w, &config);
    published_weigh(&w, -1);
    assert_false(w.stale);
    published_use(&w, &other);
    assert_string_equal(w.shown.payload, other_payload);
    assert_false(w.stale);
    published_close(&w);
}

static void a_weight_is_shown_from_the_renewal_on(void **state) {
    struct published w;

    (void)state;
    published_open(&w, &config);
    published_weigh(&w, 0);
    assert_true(w.stale);
    assert_string_equal(w.shown.payload, payload);
    assert_int_equal(renew(&w), PUBLISHED_DATA);
    assert_string_equal(w.shown.payload, IDENTITY ",\"weight\":0}");
    published_weigh(&w, 0);
    assert_false(w.stale);
    published_use(&w, &config);
    assert_true(w.stale);
    assert_int_equal(renew(&w), PUBLISHED_SAME);
    published_weigh(&w, -1);
    assert_int_equal(renew(&w), PUBLISHED_DATA);
    assert_string_equal(w.shown.payload, payload);
    published_close(&w);
}

static void another_configuration_gets_the_weight_too(void **state) {
    struct published w;

    (void)state;
    published_open(&w, &config);
    published_weigh(&w, 3);
    renew(&w);
    published_use(&w, &config);
    assert_int_equal(renew(&w), PUBLISHED_SAME);
    published_use(&w, &other);
    assert_true(w.stale);
    assert_string_equal(w.shown.payload, IDENTITY ",\"weight\":3}");
    assert_int_equal(renew(&w), PUBLISHED_DATA);
    assert_string_equal(w.shown.payload,
                        IDENTITY ",\"weight\":3,\"labels\":{}}");
    published_close(&w);
}

static void a_name_that_carries_the_payload_changes_with_it(void **state) {
    struct published w;

    (void)state;
    published_open(&w, &encoded);
    published_weigh(&w, 3);
    assert_int_equal(renew(&w), PUBLISHED_NAME);
    assert_string_equal(w.shown.node,
                        "base64_60_eyJob3N0IjoiaCIsInBvcnQiOjgwLCJuYW1lIjoiaSIs"
                        "IndlaWdodCI6M30=_");
    published_weigh(&w, -1);
    assert_int_equal(renew(&w), PUBLISHED_NAME);
    assert_string_equal(w.shown.node, encoded_node);
    published_close(&w);
}

static void one_that_is_not_taken_out_may_be_registered(void **state) {
    struct drain d = {0};

    (void)state;
    assert_true(drain_allows(&d, false, false, 1));
    drain_start(&d, 0);
    drain_end(&d);
    assert_true(drain_allows(&d, true, true, 1));
}

static void one_that_is_not_registered_has_nothing_to_drain(void **state) {
    struct drain d = {0};

    (void)state;
    drain_start(&d, 1000);
    assert_false(drain_allows(&d, false, false, 1));
}

static void the_time_begins_when_weight_0_is_confirmed(void **state) {
    struct drain d = {0};

    (void)state;
    drain_start(&d, 1000);
    assert_true(drain_allows(&d, true, false, 5000));
    assert_true(drain_allows(&d, true, false, 9000));
    assert_true(drain_allows(&d, true, true, 10000));
    assert_true(drain_allows(&d, true, true, 10999));
    assert_false(drain_allows(&d, true, true, 11000));
}

static void it_begins_anew_when_that_is_no_longer_so(void **state) {
    struct drain d = {0};

    (void)state;
    drain_start(&d, 1000);
    assert_true(drain_allows(&d, true, true, 10000));
    assert_true(drain_allows(&d, true, false, 10500));
    assert_true(drain_allows(&d, true, true, 11000));
    assert_true(drain_allows(&d, true, true, 11999));
    assert_false(drain_allows(&d, true, true, 12000));
}

static void asked_for_again_it_goes_on_with_the_new_time(void **state) {
    struct drain d = {0};

    (void)state;
    drain_start(&d, 60000);
    assert_true(drain_allows(&d, true, true, 10000));
    drain_start(&d, 1000);
    assert_false(drain_allows(&d, true, true, 11000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_weight_the_configuration_is_shown),
        cmocka_unit_test(a_weight_is_shown_from_the_renewal_on),
        cmocka_unit_test(another_configuration_gets_the_weight_too),
        cmocka_unit_test(a_name_that_carries_the_payload_changes_with_it),
        cmocka_unit_test(one_that_is_not_taken_out_may_be_registered),
        cmocka_unit_test(one_that_is_not_registered_has_nothing_to_drain),
        cmocka_unit_test(the_time_begins_when_weight_0_is_confirmed),
        cmocka_unit_test(it_begins_anew_when_that_is_no_longer_so),
        cmocka_unit_test(asked_for_again_it_goes_on_with_the_new_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
