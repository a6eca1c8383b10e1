/* test_payload.c - tests of nerve/config/payload.c: the znode format, byte for
 * byte SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/config/payload.h"

static void assert_payload(struct payload payload, const char *wanted) {
    char *formatted = payload_format(&payload);

    assert_string_equal(formatted, wanted);
    free(formatted);
}

static void holds_host_port_and_name_in_this_order(void **state) {
    (void)state;
    assert_payload((struct payload){.host = "10.0.0.7",
                                    .port_json = "8080",
                                    .name = "i-1",
                                    .weight = -1},
                   "{\"host\":\"10.0.0.7\",\"port\":8080,\"name\":\"i-1\"}");
}

static void the_port_keeps_its_json_type(void **state) {
    (void)state;
    assert_payload((struct payload){.host = "host",
                                    .port_json = "\"port\"",
                                    .name = "instance_id",
                                    .weight = -1},
                   "{\"host\":\"host\",\"port\":\"port\","
                   "\"name\":\"instance_id\"}");
}

static void weight_options_and_labels_follow(void **state) {
    (void)state;
    assert_payload((struct payload){.host = "h",
                                    .port_json = "1",
                                    .name = "n",
                                    .weight = 0,
                                    .options_json = "\"backup\"",
                                    .labels_json = "{\"z\":\"1\"}"},
                   "{\"host\":\"h\",\"port\":1,\"name\":\"n\",\"weight\":0,"
                   "\"haproxy_server_options\":\"backup\","
                   "\"labels\":{\"z\":\"1\"}}");
}

static void an_instance_is_told_by_host_port_and_name(void **state) {
    struct payload one = {.host = "h", .port_json = "80", .name = "n"};
    struct payload heavy = {
        .host = "h", .port_json = "80", .name = "n", .weight = 7};
    struct payload other = {.host = "h", .port_json = "8", .name = "n"};
    struct payload longer = {.host = "h", .port_json = "80", .name = "n2"};
    char *identity = payload_identity(&one);
    const struct payload *all[] = {&one, &heavy, &other, &longer};
    const bool same[] = {true, true, false, false};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char *data = payload_format(all[i]);

        assert_int_equal(payload_is_of(data, strlen(data), identity), same[i]);
        assert_false(payload_is_of(data, strlen(identity), identity));
        free(data);
    }
    assert_false(payload_is_of("", 0, identity));
    free(identity);
}

static void the_weight_can_be_another_and_the_rest_is_kept(void **state) {
    static const char identity[] = "{\"host\":\"h\",\"port\":80,\"name\":\"i\"";
    static const struct {
        const char *rest, *weighed;
    } cases[] = {
        {"}", ",\"weight\":0}"},
        {",\"weight\":7}", ",\"weight\":0}"},
        {",\"weight\":17,\"labels\":{\"weight\":7}}",
         ",\"weight\":0,\"labels\":{\"weight\":7}}"},
        {",\"haproxy_server_options\":\"weight 7\"}",
         ",\"weight\":0,\"haproxy_server_options\":\"weight 7\"}"},
    };
    char payload[200], wanted[200];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *weighed;

        snprintf(payload, sizeof(payload), "%s%s", identity, cases[i].rest);
        snprintf(wanted, sizeof(wanted), "%s%s", identity, cases[i].weighed);
        weighed = payload_with_weight(payload, identity, 0);
        assert_string_equal(weighed, wanted);
        free(weighed);
    }
}

static void the_node_is_named_after_the_instance(void **state) {
    char *name = payload_node_name("i-xxxxxx");

    (void)state;
    assert_string_equal(name, "i-xxxxxx_");
    free(name);
}

static void an_encoded_name_carries_the_payload(void **state) {
    char *name = payload_encoded_node_name(
        "i-xxxxxx",
        "{\"host\":\"127.0.0.1\",\"port\":3000,\"name\":\"i-xxxxxx\"}");

    (void)state;
    assert_string_equal(name, "base64_68_"
                              "eyJob3N0IjoiMTI3LjAuMC4xIiwicG9ydCI6MzAwMCwi"
                              "bmFtZSI6ImkteHh4eHh4In0=_");
    free(name);
}

static void an_encoded_name_is_padded_and_safe_in_a_path(void **state) {
    static const char *const cases[][2] = {{"", "base64_0__"},
                                           {"f", "base64_4_Zg==_"},
                                           {"fo", "base64_4_Zm8=_"},
                                           {"foo", "base64_4_Zm9v_"},
                                           {"\xfb\xff", "base64_4_-_8=_"}};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        char *name = payload_encoded_node_name("i", cases[i][0]);

        assert_string_equal(name, cases[i][1]);
        free(name);
    }
}

/* 49,152 bytes are 65,536 characters of base64: the most that fits. */
static void a_payload_too_long_to_encode_gets_the_plain_name(void **state) {
    char *payload = calloc(1, 49154);
    char *name;

    (void)state;
    memset(payload, 'x', 49152);
    name = payload_encoded_node_name("i", payload);
    assert_int_equal(strlen(name), strlen("base64_65536_") + 65536 + 1);
    free(name);
    payload[49152] = 'x';
    name = payload_encoded_node_name("i", payload);
    assert_string_equal(name, "i_");
    free(name);
    free(payload);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_host_port_and_name_in_this_order),
        cmocka_unit_test(the_port_keeps_its_json_type),
        cmocka_unit_test(weight_options_and_labels_follow),
        cmocka_unit_test(an_instance_is_told_by_host_port_and_name),
        cmocka_unit_test(the_weight_can_be_another_and_the_rest_is_kept),
        cmocka_unit_test(the_node_is_named_after_the_instance),
        cmocka_unit_test(an_encoded_name_carries_the_payload),
        cmocka_unit_test(an_encoded_name_is_padded_and_safe_in_a_path),
        cmocka_unit_test(a_payload_too_long_to_encode_gets_the_plain_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
