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

static enum wording_change renew(struct wording *w) {
    enum wording_change change;

    assert_int_equal(wording_renew(w, &change), 0);
    assert_false(w->stale);
    return change;
}

static void without_a_weight_the_configuration_is_shown(void **state) {
    struct wording w;

    (void)state;
    wording_open(&w, &config);
    wording_weigh(&w, -1);
    assert_false(w.stale);
    wording_use(&w, &other);
    assert_string_equal(w.shown.payload, other_payload);
    assert_false(w.stale);
    wording_close(&w);
}

static void a_weight_is_shown_from_the_renewal_on(void **state) {
    struct wording w;

    (void)state;
    wording_open(&w, &config);
    wording_weigh(&w, 0);
    assert_true(w.stale);
    assert_string_equal(w.shown.payload, payload);
    assert_int_equal(renew(&w), WORDING_DATA);
    assert_string_equal(w.shown.payload, IDENTITY ",\"weight\":0}");
    wording_weigh(&w, 0);
    assert_false(w.stale);
    wording_weigh(&w, -1);
    assert_int_equal(renew(&w), WORDING_DATA);
    assert_string_equal(w.shown.payload, payload);
    wording_close(&w);
}

static void another_configuration_gets_the_weight_too(void **state) {
    struct wording w;

    (void)state;
    wording_open(&w, &config);
    wording_weigh(&w, 3);
    renew(&w);
    wording_use(&w, &config);
    assert_int_equal(renew(&w), WORDING_SAME);
    wording_use(&w, &other);
    assert_true(w.stale);
    assert_string_equal(w.shown.payload, IDENTITY ",\"weight\":3}");
    assert_int_equal(renew(&w), WORDING_DATA);
    assert_string_equal(w.shown.payload,
                        IDENTITY ",\"weight\":3,\"labels\":{}}");
    wording_close(&w);
}

static void a_name_that_carries_the_payload_changes_with_it(void **state) {
    struct wording w;

    (void)state;
    wording_open(&w, &encoded);
    wording_weigh(&w, 3);
    assert_int_equal(renew(&w), WORDING_NAME);
    assert_string_equal(w.shown.node,
                        "base64_60_eyJob3N0IjoiaCIsInBvcnQiOjgwLCJuYW1lIjoiaSIs"
                        "IndlaWdodCI6M30=_");
    wording_weigh(&w, -1);
    assert_int_equal(renew(&w), WORDING_NAME);
    assert_string_equal(w.shown.node, encoded_node);
    wording_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_weight_the_configuration_is_shown),
        cmocka_unit_test(a_weight_is_shown_from_the_renewal_on),
        cmocka_unit_test(another_configuration_gets_the_weight_too),
        cmocka_unit_test(a_name_that_carries_the_payload_changes_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
