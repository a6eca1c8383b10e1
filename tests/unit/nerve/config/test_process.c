/* test_process.c - tests of nerve/config/process.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "nerve/config/read.h"

static struct error err;

static struct config *parse(const char *members) {
    char text[500];

    snprintf(text, sizeof(text), "{\"instance_id\": \"i-1\"%s}", members);
    err.text[0] = '\0';
    return config_parse(text, strlen(text), NULL, &err);
}

static void nothing_listens_and_nothing_is_sent_by_default(void **state) {
    struct config *config = parse("");

    (void)state;
    assert_non_null(config);
    assert_null(config->metrics.host);
    assert_null(config->statsd.host);
    config_free(config);
}

static void metrics_listen_is_a_port_or_an_address_and_a_port(void **state) {
    static const struct {
        const char *value, *host;
        int port;
    } cases[] = {
        {"9292", "127.0.0.1", 9292},
        {"\"9292\"", "127.0.0.1", 9292},
        {"\"0.0.0.0:65535\"", "0.0.0.0", 65535},
        {"\"[::1]:80\"", "::1", 80},
    };
    char members[100];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct config *config;

        snprintf(members, sizeof(members), ", \"metrics_listen\": %s",
                 cases[i].value);
        config = parse(members);
        assert_non_null(config);
        assert_string_equal(config->metrics.host, cases[i].host);
        assert_int_equal(config->metrics.port, cases[i].port);
        config_free(config);
    }
}

static void what_else_metrics_listen_holds_is_refused(void **state) {
    static const char *const values[] = {
        "0",
        "65536",
        "true",
        "\"\"",
        "\":80\"",
        "\"a:80\"",
        "\"127.0.0.1\"",
        "\"127.0.0.1:\"",
        "\"::1:80\"",
        "\"[]:80\"",
        "\"[127.0.0.1\"",
        "\"127.0.0.1:0\"",
        "\"1.2.3.4:+1\"",
        "\"1.2.3.4:80x\"",
        "[80]",
        "\"127.0.0.1:123456\"",
    };
    char members[100];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        snprintf(members, sizeof(members), ", \"metrics_listen\": %s",
                 values[i]);
        assert_null(parse(members));
        assert_memory_equal(err.text, "metrics_listen: ", 16);
        assert_non_null(strstr(err.text, " is not a port"));
    }
}

static void statsd_has_airbnbs_defaults(void **state) {
    struct config *config = parse(", \"statsd\": {}");

    (void)state;
    assert_string_equal(config->statsd.host, "localhost");
    assert_int_equal(config->statsd.port, 8125);
    config_free(config);
    config = parse(", \"statsd\": {\"host\": \"h\", \"port\": \"99\"}");
    assert_string_equal(config->statsd.host, "h");
    assert_int_equal(config->statsd.port, 99);
    assert_int_equal(config->note_count, 1); /* that there are no services */
    config_free(config);
}

static void a_wrong_statsd_is_refused_with_its_place(void **state) {
    (void)state;
    assert_null(parse(", \"statsd\": \"h\""));
    assert_string_equal(err.text, "statsd: \"h\" is not an object ({...})");
    assert_null(parse(", \"statsd\": {\"port\": 0}"));
    assert_string_equal(err.text, "statsd.port: 0 is not a port (1 to 65535)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_listens_and_nothing_is_sent_by_default),
        cmocka_unit_test(metrics_listen_is_a_port_or_an_address_and_a_port),
        cmocka_unit_test(what_else_metrics_listen_holds_is_refused),
        cmocka_unit_test(statsd_has_airbnbs_defaults),
        cmocka_unit_test(a_wrong_statsd_is_refused_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
