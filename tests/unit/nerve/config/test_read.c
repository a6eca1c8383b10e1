/* test_read.c - tests of nerve/config/read.c, service.c, checks.c and value.c
 *
 * tests/data/nerve/payload.json holds services and what is to be published
 * for them; tests/data/config/invalid/nerve-*.json what is refused, each with
 * the message in the .txt beside it.
 * SPDX-License-Identifier: MIT
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "csrc/base/error.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"
#include "nerve/config/service.h"

#define DATA "tests/data/"

static struct config *parse(const char *text, struct error *err) {
    return config_parse(text, strlen(text), NULL, NULL, err);
}

/* Parses a configuration of one service, "web", with <members> added. */
static struct config *parse_service(const char *members) {
    struct error err = {0};
    struct config *config;
    char text[2000];

    snprintf(text, sizeof(text),
             "{\"instance_id\": \"i-1\", \"services\": {\"web\": {"
             "\"host\": \"10.0.0.7\", \"port\": 8080,"
             "\"zk_hosts\": [\"zk:2181\"], \"zk_path\": \"/a/b\"%s}}}",
             members);
    config = parse(text, &err);
    if (!config)
        fail_msg("%s: %s", members, err.text);
    return config;
}

/* Parses a configuration of one service with this path. */
static struct config *parse_path(const char *path, struct error *err) {
    char text[400];

    snprintf(text, sizeof(text),
             "{\"instance_id\": \"i\", \"services\": {\"web\": {\"host\": "
             "\"h\", \"port\": 80, \"zk_hosts\": [\"zk:1\"], \"zk_path\": "
             "\"%s\"}}}",
             path);
    return parse(text, err);
}

static bool has_note(const struct config *config, enum event_level level,
                     const char *text) {
    for (size_t i = 0; i < config->notes.count; i++)
        if (config->notes.list[i].level == level &&
            strcmp(config->notes.list[i].text, text) == 0)
            return true;
    return false;
}

/* Ansible's templates begin with a comment, and people leave a comma behind the
 * last service: airbnb's programs read both, for they read YAML. These files
 * were refused. The agent's unit tests walk through the same cases. */
static void what_yaml_takes_beside_json_is_read(void **state) {
    json_t *cases = json_load_file(DATA "config/beside_json.json", 0, NULL);
    json_t *each, *read;
    size_t i;

    (void)state;
    assert_non_null(cases);
    json_array_foreach(cases, i, each) {
        const json_t *text = json_object_get(each, "text");
        const char *refused =
            json_string_value(json_object_get(each, "refused"));
        struct error err = {0};

        read = config_text_read(json_string_value(text),
                                json_string_length(text), &err);
        if (!json_equal(json_object_get(each, "reads"), read) && !refused)
            fail_msg("%s: %s", json_string_value(text), err.text);
        if (refused && (read || !strstr(err.text, refused)))
            fail_msg("%s: %s", json_string_value(text), err.text);
        json_decref(read);
    }
    assert_true(i > 10);
    json_decref(cases);
}

/* Puppet, Chef and Ansible often write numbers as strings. airbnb's nerve takes
 * them. */
static void a_number_may_stand_in_a_string(void **state) {
    struct config *config = parse_service(
        ", \"check_interval\": \"0.2\", \"checks\": [{\"type\": \"tcp\", "
        "\"timeout\": \".5\", \"rise\": \"3\", \"fall\": 2.0}], "
        "\"rate_limiting\": {\"average_rate\": \"1.5\"}");
    const struct service_config *web = &config->services[0];

    (void)state;
    assert_int_equal(web->check_interval_ms, 200);
    assert_int_equal(web->checks[0].timeout_ms, 500);
    assert_int_equal(web->checks[0].rise, 3);
    assert_int_equal(web->checks[0].fall, 2);
    assert_true(web->rate.average_rate == 1.5);
    config_free(config);
}

/* They also write the whole ensemble as one string, and an empty list for an
 * object that has nothing in it. */
static void what_generators_write_is_read(void **state) {
    static const char *const hosts[] = {
        "\"zk1:1,zk2:2/apps\"",
        "\"zk2:2, zk1:1/apps/\"",
        "\"zk2:2/apps\", \"zk1:1/\"",
        "\",zk1:1/apps,,zk2:2, \"",
    };
    struct error err = {0};
    struct config *config;
    char text[400];

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        snprintf(text, sizeof(text),
                 "{\"instance_id\": \"i\", \"services\": {\"web\": {\"host\": "
                 "\"shop_web_1.\", \"port\": \"80\", \"ports\": [\"80\"], "
                 "\"reporter_type\": \"ZooKeeper\", \"zk_hosts\": [%s], "
                 "\"zk_path\": \"/a\", \"labels\": []}}}",
                 hosts[i]);
        config = parse(text, &err);
        assert_non_null(config);
        assert_string_equal(config->services[0].ensemble, "zk1:1,zk2:2/apps");
        assert_non_null(strstr(config->services[0].payload, ",\"labels\":{}}"));
        assert_true(has_note(config, LEVEL_INFO,
                             "services.web.ports: this key of airbnb's nerve "
                             "or of its tools has no effect here"));
        config_free(config);
    }
    snprintf(
        text, sizeof(text),
        "{\"instance_id\": \"i\", \"services\": {\"web\": {\"host\": \"h\", "
        "\"port\": 80, \"zk_hosts\": [\"[fe80::1%%eth0]:2181\", "
        "\"::1:2181\"], \"zk_path\": \"/a\"}}}");
    config = parse(text, &err);
    assert_non_null(config);
    assert_string_equal(config->services[0].ensemble,
                        "::1:2181,[fe80::1%eth0]:2181");
    config_free(config);
    config = parse("{\"instance_id\": \"i\", \"services\": []}", &err);
    assert_non_null(config);
    assert_int_equal(config->service_count, 0);
    config_free(config);
}

/* "zk://zk1:2181" was a server zk with a port that nobody saw, and a chroot. */
static void what_is_no_server_is_refused(void **state) {
    static const char *const wrong[] = {
        "zk://zk1:2181",
        "zk1:2181//apps",
        "zk1:2181/a/../b",
        "zk1:2181x/apps",
        "zk1/apps:2181",
        ":2181",
        "::1",
        "[::1]",
        "2001:db8::1",
        "zk1:0",
        "zk1:65536",
        "zk1:",
        ", ,",
    };
    struct config *config;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct error err = {0};
        char text[400];

        snprintf(text, sizeof(text),
                 "{\"instance_id\": \"i\", \"services\": {\"web\": {\"host\": "
                 "\"h\", \"port\": 80, \"zk_hosts\": [\"%s\"], \"zk_path\": "
                 "\"/a\"}}}",
                 wrong[i]);
        config = parse(text, &err);
        if (config)
            fail_msg("%s is accepted", wrong[i]);
        snprintf(text, sizeof(text),
                 "services.web.zk_hosts[0]: \"%s\" is not a server "
                 "(\"host:port\")",
                 wrong[i]);
        assert_string_equal(err.text, text);
    }
}

/* A ZooKeeper server refuses the others, and the whole service with them. */
static void a_path_is_what_a_server_takes(void **state) {
    static const char *const wrong[] = {"a",       "/",    "//a",  "/a//b",
                                        "/a/",     "/.",   "/..",  "/./a",
                                        "/a/../b", "/a/.", "/a/.."};
    static const char *const right[] = {"/a",   "/.a",   "/a.",  "/..a",
                                        "/.a.", "/a./b", "/...", "/a/.b/c"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct error err = {0};
        struct config *config = parse_path(wrong[i], &err);

        if (config)
            fail_msg("%s is accepted", wrong[i]);
        assert_non_null(strstr(err.text, "services.web.zk_path: "));
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
        struct error err = {0};
        struct config *config = parse_path(right[i], &err);

        assert_string_equal(err.text, "");
        assert_string_equal(config->services[0].zk_path, right[i]);
        config_free(config);
    }
}

/* Of two errors one was told, and of a misspelt key only that it is missing. */
static void all_errors_are_told_with_the_keys_that_may_be_meant(void **state) {
    static const char text[] =
        "{\"instance_id\": \"i\", \"services\": {\"web\": {\"host\": \"h\", "
        "\"port\": 0, \"zk_hosts\": [\"zk:1\"], \"zk_pth\": \"/a\"}}}";
    static const char *const told[] = {
        "services.web.zk_path: missing; it must be ",
        "services.web.port: 0 is not a port (1 to 65535)",
        "services.web.zk_pth: unknown key, ignored; did you mean \"zk_path\"?"};
    struct notes notes = {0};
    struct error err = {0};

    (void)state;
    assert_null(config_parse(text, strlen(text), NULL, &notes, &err));
    for (size_t i = 0; i < 3; i++) {
        bool found = strstr(err.text, told[i]) != NULL;

        for (size_t j = 0; j < notes.count; j++)
            found = found || strstr(notes.list[j].text, told[i]);
        if (!found)
            fail_msg("not told: %s", told[i]);
    }
    notes_close(&notes);
}

static void what_is_left_out_has_airbnbs_defaults(void **state) {
    struct config *config =
        parse_service(", \"checks\": [{\"type\": \"tcp\"}]");
    const struct service_config *web = &config->services[0];

    (void)state;
    assert_string_equal(config->instance_id, "i-1");
    assert_int_equal(config->session_timeout_ms, 10000);
    assert_int_equal(config->watchdog_s, 30);
    assert_int_equal(config->notes.count, 0);
    assert_int_equal(web->check_interval_ms, 500);
    assert_int_equal(web->check_count, 1);
    assert_int_equal(web->checks[0].kind, CHECK_TCP);
    assert_string_equal(web->checks[0].name, "tcp");
    assert_string_equal(web->checks[0].host, "10.0.0.7");
    assert_int_equal(web->checks[0].port, 8080);
    assert_int_equal(web->checks[0].timeout_ms, 100);
    assert_int_equal(web->checks[0].rise, 1);
    assert_int_equal(web->checks[0].fall, 1);
    config_free(config);
}

static void a_check_has_what_is_said(void **state) {
    struct config *config = parse_service(
        ", \"check_interval\": 2, \"checks\": [{\"type\": \"http\","
        "\"name\": \"alive\", \"host\": \"::1\", \"port\": \"81\","
        "\"timeout\": 0.25, \"rise\": 3, \"fall\": 2, \"uri\": \"/health\","
        "\"expect\": \"OK\", \"headers\": {\"A\": \"b\", \"C\": \"\"}}]");
    const struct check_config *check = &config->services[0].checks[0];

    (void)state;
    assert_int_equal(config->services[0].check_interval_ms, 2000);
    assert_int_equal(check->kind, CHECK_HTTP);
    assert_string_equal(check->name, "alive");
    assert_string_equal(check->host, "::1");
    assert_int_equal(check->port, 81);
    assert_int_equal(check->timeout_ms, 250);
    assert_int_equal(check->connect_ms, 0);
    assert_int_equal(check->rise, 3);
    assert_int_equal(check->fall, 2);
    assert_string_equal(check->uri, "/health");
    assert_string_equal(check->expect, "OK");
    assert_int_equal(check->header_count, 2);
    assert_string_equal(check->headers[0], "A: b");
    assert_string_equal(check->headers[1], "C;");
    config_free(config);
}

static void an_open_timeout_adds_to_the_read_timeout(void **state) {
    struct config *config = parse_service(
        ", \"checks\": [{\"type\": \"http\", \"uri\": \"/\", \"timeout\": 9,"
        "\"open_timeout\": 0.2, \"read_timeout\": 0.3}]");
    const struct check_config *check = &config->services[0].checks[0];

    (void)state;
    assert_int_equal(check->connect_ms, 200);
    assert_int_equal(check->timeout_ms, 500);
    config_free(config);
}

static void a_tls_timeout_belongs_to_the_connecting(void **state) {
    struct config *config = parse_service(
        ", \"checks\": [{\"type\": \"http\", \"uri\": \"/\", \"ssl\": true,"
        "\"open_timeout\": 0.2, \"read_timeout\": 0.3,"
        "\"ssl_timeout\": 0.1}, {\"type\": \"http\", \"uri\": \"/\","
        "\"open_timeout\": 0.2, \"ssl_timeout\": 0.1}]");
    const struct check_config *check = config->services[0].checks;

    (void)state;
    assert_int_equal(check[0].connect_ms, 300);
    assert_int_equal(check[0].timeout_ms, 600);
    assert_int_equal(check[1].connect_ms, 200);
    assert_int_equal(check[1].timeout_ms, 300);
    config_free(config);
}

static void statuses_are_what_is_said_or_airbnbs(void **state) {
    struct config *config =
        parse_service(", \"checks\": [{\"type\": \"http\", \"uri\": \"/\"},"
                      "{\"type\": \"http\", \"uri\": \"/\","
                      "\"expect_status\": [\"200-299\", 404, \"999-999\"]}]");
    const struct check_config *check = config->services[0].checks;

    (void)state;
    assert_int_equal(check[0].status_count, 1);
    assert_int_equal(check[0].statuses[0].first, 200);
    assert_int_equal(check[0].statuses[0].last, 399);
    assert_int_equal(check[1].status_count, 3);
    assert_int_equal(check[1].statuses[0].first, 200);
    assert_int_equal(check[1].statuses[0].last, 299);
    assert_int_equal(check[1].statuses[1].first, 404);
    assert_int_equal(check[1].statuses[1].last, 404);
    assert_int_equal(check[1].statuses[2].last, 999);
    config_free(config);
}

static void tls_proves_nothing_unless_told_to(void **state) {
    struct config *config = parse_service(
        ", \"checks\": [{\"type\": \"http\", \"uri\": \"/\", \"ssl\": true},"
        "{\"type\": \"http\", \"uri\": \"/\", \"ssl\": true,"
        "\"ca_file\": \"/dev/null\", \"sni\": \"web.example\"},"
        "{\"type\": \"http\", \"uri\": \"/\", \"ssl\": true,"
        "\"verify\": true}]");
    const struct check_config *check = config->services[0].checks;

    (void)state;
    assert_true(check[0].tls);
    assert_false(check[0].verify);
    assert_true(check[1].verify);
    assert_string_equal(check[1].ca_file, "/dev/null");
    assert_string_equal(check[1].sni, "web.example");
    assert_true(check[2].verify);
    assert_null(check[2].ca_file);
    config_free(config);
}

static void redis_is_a_tcp_check_by_name(void **state) {
    struct config *config = parse_service(
        ", \"checks\": [{\"type\": \"redis\"}, {\"type\": \"tcp\","
        "\"send\": \"a\\r\\n\\u0001\", \"expect\": \"b\\n\"},"
        "{\"type\": \"noop\"}]");
    const struct check_config *check = config->services[0].checks;

    (void)state;
    assert_int_equal(check[0].kind, CHECK_TCP);
    assert_string_equal(check[0].name, "redis");
    assert_string_equal(check[0].send, "PING\r\nQUIT\r\n");
    assert_string_equal(check[0].expect, "+PONG");
    assert_string_equal(check[1].send, "a\r\n\x01");
    assert_string_equal(check[1].expect, "b\n");
    assert_int_equal(check[2].kind, CHECK_NOOP);
    assert_string_equal(check[2].name, "noop");
    assert_int_equal(config->notes.count, 0);
    config_free(config);
}

static void a_grpc_check_may_name_a_service_and_use_tls(void **state) {
    struct config *config = parse_service(
        ", \"checks\": [{\"type\": \"grpc\"}, {\"type\": \"grpc\","
        "\"port\": 50051, \"service\": \"shop.Cart\", \"ssl\": true,"
        "\"ca_file\": \"/dev/null\", \"sni\": \"shop.example\"}]");
    const struct check_config *check = config->services[0].checks;

    (void)state;
    assert_int_equal(check[0].kind, CHECK_GRPC);
    assert_string_equal(check[0].name, "grpc");
    assert_int_equal(check[0].port, 8080);
    assert_null(check[0].service);
    assert_false(check[0].tls);
    assert_int_equal(check[1].port, 50051);
    assert_string_equal(check[1].service, "shop.Cart");
    assert_true(check[1].tls);
    assert_true(check[1].verify);
    assert_string_equal(check[1].sni, "shop.example");
    assert_int_equal(config->notes.count, 0);
    config_free(config);
}

static void a_push_check_has_a_ttl(void **state) {
    struct config *config = parse_service(
        ", \"checks\": [{\"type\": \"noop\"}, {\"type\": \"push\","
        "\"ttl\": 30}]");
    const struct service_config *web = &config->services[0];

    (void)state;
    assert_int_equal(web->checks[1].kind, CHECK_PUSH);
    assert_string_equal(web->checks[1].name, "push");
    assert_int_equal(web->checks[1].ttl_ms, 30000);
    assert_ptr_equal(config_push_check(web), &web->checks[1]);
    assert_int_equal(config->notes.count, 0);
    config_free(config);
}

/* nerve hands a service to its successor without its checks, but with the text
 * that they were read from. */
static void checks_are_read_again_from_what_is_kept(void **state) {
    struct config *config = parse_service(
        ", \"check_interval\": 3, \"rate_limiting\": {\"average_rate\": 1}, "
        "\"checks\": [{\"type\": \"tcp\", \"fall\": 4}, {\"type\": "
        "\"push\", \"ttl\": 30}]");
    const struct service_config *web = &config->services[0];
    struct service_config again = {.name = strdup("web"),
                                   .host = strdup(web->host),
                                   .port = strdup(web->port),
                                   .checking = strdup(web->checking)};
    struct error err = {0};

    (void)state;
    assert_int_equal(service_config_restore_checks(&again, &err), 0);
    assert_int_equal(again.check_interval_ms, 3000);
    assert_true(again.rate.limited);
    assert_int_equal(again.check_count, 2);
    assert_int_equal(again.checks[0].kind, CHECK_TCP);
    assert_int_equal(again.checks[0].fall, 4);
    assert_int_equal(again.checks[0].port, 8080);
    assert_int_equal(again.checks[1].ttl_ms, 30000);
    service_config_close(&again);
    config_free(config);
}

static void what_is_kept_of_checks_may_be_wrong(void **state) {
    static const char *const cases[][2] = {
        {"{", "web: out of memory"},
        {"{\"checks\": [7]}", "web.checks[0]: must be an object ({...})"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct service_config wrong = {.name = strdup("web"),
                                       .checking = strdup(cases[i][0])};
        struct error err = {0};

        assert_int_equal(service_config_restore_checks(&wrong, &err), -1);
        assert_string_equal(err.text, cases[i][1]);
        service_config_close(&wrong);
    }
}

static void a_command_is_kept_word_by_word(void **state) {
    struct config *config =
        parse_service(", \"checks\": [{\"type\": \"exec\","
                      "\"command\": [\"test\", \"a b\", \"\"]}]");
    const struct check_config *check = config->services[0].checks;

    (void)state;
    assert_int_equal(check->kind, CHECK_EXEC);
    assert_string_equal(check->command[0], "test");
    assert_string_equal(check->command[1], "a b");
    assert_string_equal(check->command[2], "");
    assert_null(check->command[3]);
    config_free(config);
}

static void a_rate_is_limited_where_one_is_set(void **state) {
    struct config *config =
        parse_service(", \"rate_limiting\": {\"average_rate\": 0.5,"
                      "\"max_burst\": 3, \"shadow_mode\": false}");
    const struct rate_config *rate = &config->services[0].rate;

    (void)state;
    assert_true(rate->limited);
    assert_false(rate->shadow_mode);
    assert_true(rate->average_rate == 0.5 && rate->max_burst == 3);
    config_free(config);
    config = parse_service("");
    assert_false(config->services[0].rate.limited);
    config_free(config);
    config = parse_service(", \"rate_limiting\": {\"max_burst\": 5,"
                           "\"average_rate\": null, \"burst\": 1}");
    rate = &config->services[0].rate;
    assert_false(rate->limited);
    assert_true(rate->shadow_mode);
    assert_int_equal(config->notes.count, 2);
    config_free(config);
    config = parse_service(", \"rate_limiting\": {\"average_rate\": 1}");
    assert_true(config->services[0].rate.limited);
    assert_true(has_note(config, LEVEL_INFO,
                         "services.web.rate_limiting: shadow_mode is true, so "
                         "nothing is throttled, only told"));
    config_free(config);
}

static void a_null_is_as_good_as_nothing(void **state) {
    struct config *config = parse_service(
        ", \"check_interval\": null, \"checks\": [{\"type\": \"tcp\","
        "\"timeout\": null, \"rise\": null, \"port\": null}]");

    (void)state;
    assert_int_equal(config->services[0].check_interval_ms, 500);
    assert_int_equal(config->services[0].checks[0].timeout_ms, 100);
    assert_int_equal(config->services[0].checks[0].port, 8080);
    config_free(config);
}

static void one_ensemble_is_one_whatever_the_order(void **state) {
    struct error err = {0};
    struct config *config =
        parse("{\"instance_id\": \"i\", \"services\": {"
              "\"a\": {\"host\": \"h\", \"port\": 1, \"zk_path\": \"/a\","
              "\"zk_hosts\": [\"zk2:1\", \"zk1:1/root\", \"zk3:1\"]},"
              "\"b\": {\"host\": \"h\", \"port\": 1, \"zk_path\": \"/b\","
              "\"zk_hosts\": [\"zk3:1/root\", \"zk1:1\", \"zk2:1\"]}}}",
              &err);

    (void)state;
    assert_non_null(config);
    assert_string_equal(config->services[0].ensemble, "zk1:1,zk2:1,zk3:1/root");
    assert_string_equal(config->services[1].ensemble,
                        config->services[0].ensemble);
    config_free(config);
}

/* Without sequence numbers a path has room for one znode of this nerve. */
static void services_that_share_no_znode_are_allowed(void **state) {
    static const char *const others[] = {
        /* another path, another ensemble, and a znode with a number */
        "\"zk_path\": \"/b\", \"zk_hosts\": [\"zk:1\"], \"node_type\": "
        "\"ephemeral\"",
        "\"zk_path\": \"/a\", \"zk_hosts\": [\"zk:2\"], \"node_type\": "
        "\"ephemeral\"",
        "\"zk_path\": \"/a\", \"zk_hosts\": [\"zk:1\"]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        struct error err = {0};
        struct config *config;
        char text[500];

        snprintf(text, sizeof(text),
                 "{\"instance_id\": \"i\", \"services\": {"
                 "\"a\": {\"host\": \"h\", \"port\": 1, \"zk_path\": "
                 "\"/a\", \"zk_hosts\": [\"zk:1\"], \"node_type\": "
                 "\"ephemeral\"}, \"b\": {\"host\": \"h\", \"port\": 2, "
                 "%s}}}",
                 others[i]);
        config = parse(text, &err);
        assert_string_equal(err.text, "");
        config_free(config);
    }
}

static void an_ipv6_server_may_have_brackets(void **state) {
    static const char *const servers[] = {"[2001:db8::1]:65535",
                                          "2001:db8::1:65535"};

    (void)state;
    for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
        struct error err = {0};
        struct config *config;
        char text[300];

        snprintf(text, sizeof(text),
                 "{\"instance_id\": \"i\", \"services\": {\"a\": {\"host\": "
                 "\"h\", \"port\": 1, \"zk_path\": \"/a\", \"zk_hosts\": "
                 "[\"%s\"]}}}",
                 servers[i]);
        config = parse(text, &err);
        assert_string_equal(err.text, "");
        config_free(config);
    }
}

static void mocked_checks_are_left_out(void **state) {
    struct config *config =
        parse_service(", \"check_mocked\": true, \"checks\": [{}]");

    (void)state;
    assert_int_equal(config->services[0].check_count, 0);
    assert_true(
        has_note(config, LEVEL_INFO, "services.web: no checks, always up"));
    config_free(config);
}

static void unknown_keys_are_told_with_their_place(void **state) {
    struct config *config = parse_service(
        ", \"chekcs\": [], \"max_repeated_report_failures\": 5, \"checks\": ["
        "{\"type\": \"tcp\", \"uri\": \"/\", \"module\": \"x\"}]");

    (void)state;
    assert_int_equal(config->notes.count, 4);
    assert_true(has_note(config, LEVEL_WARNING,
                         "services.web.chekcs: unknown key, ignored; did you "
                         "mean \"checks\"?"));
    assert_true(has_note(
        config, LEVEL_INFO,
        "services.web.max_repeated_report_failures: this key of airbnb's "
        "nerve or of its tools has no effect here"));
    assert_true(has_note(config, LEVEL_WARNING,
                         "services.web.checks[0].uri: unknown key, ignored"));
    assert_true(has_note(config, LEVEL_INFO,
                         "services.web.checks[0].module: this key of "
                         "airbnb's nerve or of its tools has no effect "
                         "here"));
    config_free(config);
}

static void odd_values_are_published_and_told(void **state) {
    struct config *config =
        parse_service(", \"labels\": \"x\", \"haproxy_server_options\": {},"
                      "\"check_mocked\": true");

    (void)state;
    assert_non_null(strstr(config->services[0].payload,
                           ",\"haproxy_server_options\":{},\"labels\":\"x\"}"));
    assert_true(has_note(config, LEVEL_WARNING,
                         "services.web.labels: not an object; published as "
                         "it is, readers may drop it"));
    assert_true(has_note(config, LEVEL_WARNING,
                         "services.web.haproxy_server_options: not a string; "
                         "published as it is, readers may drop it"));
    config_free(config);
}

static void an_instance_id_given_replaces_the_files(void **state) {
    static const char text[] = "{\"instance_id\": \"i\"}";
    struct error err = {0};
    struct config *config =
        config_parse(text, sizeof(text) - 1, "given", NULL, &err);

    (void)state;
    assert_string_equal(config->instance_id, "given");
    config_free(config);
    config = config_parse(text, sizeof(text) - 1, "", NULL, &err);
    assert_string_equal(config->instance_id, "i");
    config_free(config);
    config = config_parse("{}", 2, "given", NULL, &err);
    assert_string_equal(config->instance_id, "given");
    assert_int_equal(config->service_count, 0);
    config_free(config);
}

/* One that was given was not looked at: the znode's JSON was broken then, and
 * nerve ctl status empty. */
static void an_instance_id_given_is_checked_as_the_files(void **state) {
    static const char *const cases[][2] = {
        {"a\nb", "instance_id: \"a\\nb\" is not a string of one line"},
        {"a/b", "instance_id: \"a/b\" must not hold"},
        {"a\xff",
         "instance_id: what -i or NERVE_INSTANCE_ID says is not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct error err = {0};

        assert_null(config_parse("{\"instance_id\": \"i\"}", 20, cases[i][0],
                                 NULL, &err));
        assert_memory_equal(err.text, cases[i][1], strlen(cases[i][1]));
    }
}

/* A pod of Kubernetes gets its address when it starts, and the same file as
 * all others. */
static void a_host_that_is_left_out_is_that_of_the_environment(void **state) {
    static const char text[] =
        "{\"services\": {\"web\": {\"port\": 8080, \"zk_hosts\": "
        "[\"zk:2181\"], "
        "\"zk_path\": \"/a\", \"host\": null}, \"own\": {\"host\": "
        "\"10.0.0.7\", \"port\": 8080, \"zk_hosts\": [\"zk:2181\"], "
        "\"zk_path\": \"/b\"}}}";
    struct error err = {0};
    struct config *config;

    (void)state;
    setenv("NERVE_HOST", "10.0.0.9", 1);
    config = config_parse(text, sizeof(text) - 1, "i", NULL, &err);
    assert_non_null(config);
    assert_string_equal(config->services[0].host, "10.0.0.9");
    assert_non_null(strstr(config->services[0].payload, "10.0.0.9"));
    assert_string_equal(config->services[1].host, "10.0.0.7");
    config_free(config);

    setenv("NERVE_HOST", "10.0.0.9\n", 1);
    assert_null(config_parse(text, sizeof(text) - 1, "i", NULL, &err));
    assert_non_null(strstr(err.text, "is not a string of one line"));
    setenv("NERVE_HOST", "\xff", 1);
    err = (struct error){0};
    assert_null(config_parse(text, sizeof(text) - 1, "i", NULL, &err));
    assert_non_null(strstr(err.text, "NERVE_HOST says is not UTF-8"));
    setenv("NERVE_HOST", "", 1);
    err = (struct error){0};
    assert_null(config_parse(text, sizeof(text) - 1, "i", NULL, &err));
    assert_non_null(strstr(err.text, "services.web.host: missing"));
    unsetenv("NERVE_HOST");
}

/* Checks one entry of payload.json. */
static void check_published(const json_t *entry) {
    const char *id = json_string_value(json_object_get(entry, "instance_id"));
    const char *node = json_string_value(json_object_get(entry, "node"));
    json_t *all =
        json_pack("{s: s, s: {s: {s: s, s: i, s: [s], s: s}}}", "instance_id",
                  id ? id : "i-1", "services", "web", "host", "10.0.0.7",
                  "port", 8080, "zk_hosts", "zk:2181", "zk_path", "/a");
    json_t *web = json_object_get(json_object_get(all, "services"), "web");
    struct error err = {0};
    struct config *config;
    char *text;

    json_object_update(web, json_object_get(entry, "service"));
    text = json_dumps(all, 0);
    config = parse(text, &err);
    print_message("  %s\n", json_string_value(json_object_get(entry, "case")));
    assert_string_equal(err.text, "");
    assert_string_equal(config->services[0].payload,
                        json_string_value(json_object_get(entry, "payload")));
    if (node)
        assert_string_equal(config->services[0].node, node);
    config_free(config);
    free(text);
    json_decref(all);
}

static void what_is_published_is_nerves_byte_for_byte(void **state) {
    json_t *cases = json_load_file(DATA "nerve/payload.json", 0, NULL);

    (void)state;
    assert_true(json_array_size(cases) > 10);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_published(json_array_get(cases, i));
    json_decref(cases);
}

static void the_tutorials_configuration_works(void **state) {
    struct error err = {0};
    struct config *config =
        config_load(DATA "nerve/tutorial.json", NULL, NULL, &err);
    const struct service_config *service;

    (void)state;
    assert_string_equal(err.text, "");
    assert_int_equal(config->notes.count, 0);
    service = &config->services[0];
    assert_string_equal(service->name, "simple_http_service");
    assert_string_equal(service->node, "service_a_node_1_");
    assert_string_equal(service->payload,
                        "{\"host\":\"192.168.11.102\",\"port\":8000,"
                        "\"name\":\"service_a_node_1\"}");
    assert_int_equal(service->check_interval_ms, 2000);
    assert_int_equal(service->checks[0].timeout_ms, 200);
    config_free(config);
}

static void the_sample_configuration_works(void **state) {
    struct error err = {0};
    struct config *config =
        config_load("nerve/nerve.conf.json", NULL, NULL, &err);

    (void)state;
    assert_string_equal(err.text, "");
    assert_int_equal(config->notes.count, 0);
    assert_int_equal(config->service_count, 1);
    config_free(config);
}

/* This machine's, in place of what the system says. */
static const char *host_name = "machine-7.example.com";

int gethostname(char *name, size_t size) {
    snprintf(name, size, "%s", host_name);
    return 0;
}

/* Every machine that was installed with the sample registered as machine_1. */
static void without_an_instance_id_it_is_the_hosts_name(void **state) {
    struct error err = {0};
    struct config *config =
        config_load("nerve/nerve.conf.json", NULL, NULL, &err);

    (void)state;
    assert_string_equal(config->instance_id, host_name);
    config_free(config);
}

static void a_name_that_many_hosts_have_is_none(void **state) {
    static const char *const names[] = {"", "localhost",
                                        "localhost.localdomain", "(none)"};
    const char *before = host_name;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct error err = {0};
        char wanted[200];

        host_name = names[i];
        assert_null(config_parse("{}", 2, NULL, NULL, &err));
        snprintf(wanted, sizeof(wanted),
                 "instance_id: missing, and the host's name \"%s\" is no name "
                 "of its own; it must be this machine's",
                 names[i]);
        assert_string_equal(err.text, wanted);
    }
    host_name = before;
}

/* Loads <path>, which is refused, and compares the message. */
static void check_refused(const char *path) {
    struct error err = {0};
    char wanted[700], message[600], place[200];
    FILE *file;

    snprintf(place, sizeof(place), "%.*s.txt", (int)strlen(path) - 5, path);
    file = fopen(place, "re");
    if (!file || !fgets(message, sizeof(message), file))
        fail_msg("%s: no message", place);
    fclose(file);
    message[strcspn(message, "\n")] = '\0';
    snprintf(wanted, sizeof(wanted), "%s: %s", path, message);
    assert_null(config_load(path, NULL, NULL, &err));
    assert_string_equal(err.text, wanted);
}

static void a_wrong_value_is_told_with_its_place_and_what_is_right(void **s) {
    glob_t found;

    (void)s;
    assert_int_equal(glob(DATA "config/invalid/nerve-*.json", 0, NULL, &found),
                     0);
    assert_true(found.gl_pathc > 40);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_refused(found.gl_pathv[i]);
    globfree(&found);
}

/* Somebody wrote "zk_pth", and a port of 0, and a check without a type. nerve
 * -k said only "zk_path: missing": neither that zk_pth was not known, nor what
 * else was wrong, so each run of it showed one more mistake. */
static void every_error_is_told_and_every_key_that_is_not_known(void **state) {
    static const char text[] =
        "{\"session_timeout\": \"x\", \"services\": {"
        "\"web\": {\"host\": \"h\", \"port\": 0, \"zk_hosts\": [\"a\", "
        "\"b:1\", 3],"
        "\"zk_pth\": \"/a\", \"weight\": -1, \"checks\": [{\"rise\": 2},"
        "{\"type\": \"http\", \"uri\": \"a\", \"fall\": 0}, 5]}, \"db\": 7}}";
    static const struct {
        enum event_level level;
        const char *text;
    } wanted[] = {
        {LEVEL_ERROR, "services.web.zk_path: missing; it must be a path such "
                      "as \"/nerve/services/web/services\""},
        {LEVEL_ERROR, "services.web.port: 0 is not a port (1 to 65535)"},
        {LEVEL_ERROR, "services.web.zk_hosts[0]: \"a\" is not a server "
                      "(\"host:port\")"},
        {LEVEL_ERROR,
         "services.web.zk_hosts[2]: 3 is not a server (\"host:port\")"},
        {LEVEL_ERROR,
         "services.web.weight: -1 is not a weight (a whole number from 0)"},
        {LEVEL_ERROR, "services.web.checks[0].type: missing; it must be "
                      "\"tcp\", \"http\", \"redis\", \"grpc\", \"exec\", "
                      "\"noop\" or \"push\""},
        {LEVEL_ERROR, "services.web.checks[1].fall: 0 is not a whole number "
                      "from 1 to 1000000"},
        {LEVEL_ERROR, "services.web.checks[1].uri: \"a\" is not a path (begins "
                      "with /, no spaces)"},
        {LEVEL_ERROR, "services.web.checks[2]: must be an object ({...})"},
        {LEVEL_WARNING, "services.web.zk_pth: unknown key, ignored; did you "
                        "mean \"zk_path\"?"},
        {LEVEL_ERROR, "services.db: must be an object ({...})"},
    };
    const size_t count = sizeof(wanted) / sizeof(wanted[0]);
    struct notes notes = {0};
    struct error err = {0};

    (void)state;
    assert_null(config_parse(text, sizeof(text) - 1, NULL, &notes, &err));
    assert_string_equal(err.text, "session_timeout: \"x\" is not a number of "
                                  "seconds (0.001 to 86400)");
    for (size_t i = 0; i < notes.count && i < count; i++) {
        assert_string_equal(notes.list[i].text, wanted[i].text);
        assert_int_equal(notes.list[i].level, wanted[i].level);
    }
    assert_int_equal(notes.count, count);
    notes_close(&notes);
}

static void a_payload_too_large_for_a_znode_is_refused(void **state) {
    struct error err = {0};
    char *text = malloc(70000);
    struct config *config;
    size_t head;

    (void)state;
    head = (size_t)sprintf(text, "{\"instance_id\": \"i\", \"services\": {"
                                 "\"web\": {\"host\": \"h\", \"port\": 80,"
                                 "\"zk_hosts\": [\"zk:2181\"],"
                                 "\"zk_path\": \"/a\", \"labels\": {\"a\": \"");
    memset(text + head, 'x', 65536);
    strcpy(text + head + 65536, "\"}}}}");
    assert_null(parse(text, &err));
    assert_string_equal(err.text,
                        "services.web: its znode would hold 65587 bytes, more "
                        "than 65536; shorten labels or "
                        "haproxy_server_options");
    strcpy(text + head + 65536 - 51, "\"}}}}");
    config = parse(text, &err);
    assert_non_null(config);
    assert_int_equal(strlen(config->services[0].payload), 65536);
    config_free(config);
    free(text);
}

/* To the byte, and to the millisecond. */
static void a_limit_itself_is_allowed(void **state) {
    char members[500], name[256];

    (void)state;
    memset(name, 'x', 255);
    name[255] = '\0';
    snprintf(members, sizeof(members),
             ", \"checks\": [{\"type\": \"grpc\", \"service\": \"%s\"}]", name);
    config_free(parse_service(members));
    config_free(parse_service(", \"check_interval\": 30, \"checks\": "
                              "[{\"type\": \"push\", \"ttl\": 30}]"));
}

/* An endless file would take all memory. */
static void a_file_that_is_too_large_is_refused(void **state) {
    char path[] = "/tmp/nerve-large-XXXXXX";
    struct error err = {0};
    char wanted[100];
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(ftruncate(fd, 16 * 1024 * 1024 + 1), 0);
    assert_null(config_load(path, NULL, NULL, &err));
    snprintf(wanted, sizeof(wanted), "%s: File too large", path);
    assert_string_equal(err.text, wanted);
    assert_int_equal(ftruncate(fd, 16 * 1024 * 1024), 0);
    memset(&err, 0, sizeof(err));
    assert_null(config_load(path, NULL, NULL, &err));
    assert_null(strstr(err.text, "too large"));
    close(fd);
    unlink(path);
}

static void a_file_that_cannot_be_read_is_told(void **state) {
    struct error err = {0};

    (void)state;
    assert_null(config_load("/nonexistent/nerve.json", NULL, NULL, &err));
    assert_string_equal(err.text,
                        "/nonexistent/nerve.json: No such file or directory");
    memset(&err, 0, sizeof(err));
    assert_null(config_load("/", NULL, NULL, &err));
    assert_string_equal(err.text, "/: Is a directory");
}

#define SERVICE(PORT)                                                          \
    "{\"host\": \"h\", \"port\": " PORT ", \"zk_hosts\": [\"zk:1\"],"          \
    "\"zk_path\": \"/a\"}"

static char directory[] = "/tmp/nerve-conf-dir-XXXXXX";
static char *written[8];
static size_t written_count;

static int make_directory(void **state) {
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    written_count = 0;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    (void)state;
    while (written_count) {
        unlink(written[--written_count]);
        free(written[written_count]);
    }
    return rmdir(directory);
}

static void write_file(const char *name, const char *text) {
    char *path;
    FILE *file;

    assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    written[written_count++] = path;
}

/* Reads a configuration of the directory and of the services <inlined>. */
static struct config *parse_directory(const char *inlined, struct error *err) {
    char text[1000];

    snprintf(text, sizeof(text),
             "{\"instance_id\": \"i\", \"service_conf_dir\": \"%s\","
             "\"services\": %s}",
             directory, inlined);
    return config_parse(text, strlen(text), NULL, NULL, err);
}

/* Compares <text> with the directory, a slash, and <rest>. */
static void assert_at(const char *text, const char *rest) {
    char wanted[600];

    snprintf(wanted, sizeof(wanted), "%s/%s", directory, rest);
    assert_string_equal(text, wanted);
}

static void assert_refused(const char *rest) {
    struct error err = {0};

    assert_null(parse_directory("{}", &err));
    assert_at(err.text, rest);
}

static void each_json_file_is_a_service_named_like_it(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file("web.json", SERVICE("80"));
    write_file("db.main.json", SERVICE("81"));
    config = parse_directory("{\"inline\": " SERVICE("82") "}", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(config->service_count, 3);
    assert_string_equal(config->services[0].name, "inline");
    assert_string_equal(config->services[1].name, "db.main");
    assert_string_equal(config->services[2].name, "web");
    assert_string_equal(config->services[2].port, "80");
    config_free(config);
}

/* Opening a FIFO waits for its writer: a reload did so forever. */
static void what_is_no_regular_file_is_refused(void **state) {
    (void)state;
    write_file("web.json", "");
    unlink(written[0]);
    assert_int_equal(mkfifo(written[0], 0600), 0);
    assert_refused("web.json: not a regular file; remove it from "
                   "service_conf_dir");
}

static void a_file_takes_the_place_of_what_is_inline(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file("web.json", SERVICE("80"));
    config = parse_directory("{\"web\": \"not even a service\"}", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(config->service_count, 1);
    assert_string_equal(config->services[0].port, "80");
    assert_non_null(strstr(config->notes.list[0].text, "services.web: /tmp/"));
    config_free(config);
}

static void the_directory_alone_may_hold_services(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file("web.json", SERVICE("80"));
    config = parse_directory("null", &err);
    assert_int_equal(config->service_count, 1);
    config_free(config);
}

static void other_files_are_left_alone(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file(".web.json", "{");
    write_file("web.json.bak", "{");
    write_file("README", "these are services");
    write_file(".yaml", "a: b");
    config = parse_directory("{}", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(config->service_count, 0);
    config_free(config);
}

static void yaml_is_refused_with_what_to_do(void **state) {
    (void)state;
    write_file("web.yaml", "host: h");
    assert_refused("web.yaml: YAML is not read; replace it with web.json "
                   "(YAML parsers read JSON too)");
    unlink(written[0]);
    write_file("web.yml", "host: h");
    assert_refused("web.yml: YAML is not read; replace it with web.json "
                   "(YAML parsers read JSON too)");
    unlink(written[1]);
    write_file("web.json", "host: h");
    assert_refused("web.json: line 1, column 4: '[' or '{' expected near "
                   "'host' (the file must be JSON; YAML is not read)");
}

static void a_wrong_file_is_named_with_the_place_in_it(void **state) {
    (void)state;
    write_file("web.json", SERVICE("0"));
    assert_refused("web.json: services.web.port: 0 is not a port (1 to "
                   "65535)");
    write_file("a.json", "[]");
    assert_refused("a.json: services.a: must be an object ({...})");
    write_file("Z.json", "{\"host\": 1, \"host\": 2}");
    assert_refused("Z.json: line 1, column 18: duplicate object key near "
                   "'\"host\"'");
}

static void errors_in_several_files_are_all_told(void **state) {
    struct notes notes = {0};
    struct error err = {0};
    char text[200];

    (void)state;
    snprintf(text, sizeof(text),
             "{\"instance_id\": \"i\", \"service_conf_dir\": \"%s\"}",
             directory);
    write_file("a.json", SERVICE("0"));
    write_file("b.yml", "host: h");
    write_file("c.json", SERVICE("70000"));
    assert_null(config_parse(text, strlen(text), NULL, &notes, &err));
    assert_at(err.text, "b.yml: YAML is not read; replace it with b.json (YAML "
                        "parsers read JSON too)");
    assert_at(notes.list[0].text,
              "a.json: services.a.port: 0 is not a port (1 to 65535)");
    assert_int_equal(notes.list[1].level, LEVEL_INFO); /* no checks */
    assert_at(notes.list[2].text,
              "c.json: services.c.port: 70000 is not a port (1 to 65535)");
    notes_close(&notes);
}

static void a_note_names_the_file(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file("web.json",
               "{\"host\": \"h\", \"port\": 80, \"zk_hosts\": [\"zk:1\"],"
               "\"zk_path\": \"/a\", \"wieght\": 1, \"check_mocked\": true}");
    config = parse_directory("{\"b\": " SERVICE("81") "}", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(config->notes.count, 3);
    assert_string_equal(config->notes.list[0].text,
                        "services.b: no checks, always up");
    assert_at(config->notes.list[1].text,
              "web.json: services.web: no checks, always up");
    assert_at(config->notes.list[2].text,
              "web.json: services.web.wieght: unknown key, ignored; did you "
              "mean \"weight\"?");
    config_free(config);
}

static void the_same_instance_in_two_files_is_refused(void **state) {
    struct error err = {0};

    (void)state;
    write_file("a.json", SERVICE("80"));
    write_file("b.json", SERVICE("80"));
    assert_null(parse_directory("{}", &err));
    assert_string_equal(err.text,
                        "services.b: zk_hosts, zk_path, host and port are "
                        "those of services.a; remove one of them");
}

#define TEST(NAME)                                                             \
    cmocka_unit_test_setup_teardown(NAME, make_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_yaml_takes_beside_json_is_read),
        cmocka_unit_test(what_is_no_server_is_refused),
        cmocka_unit_test(a_number_may_stand_in_a_string),
        cmocka_unit_test(what_generators_write_is_read),
        cmocka_unit_test(a_path_is_what_a_server_takes),
        cmocka_unit_test(all_errors_are_told_with_the_keys_that_may_be_meant),
        cmocka_unit_test(what_is_left_out_has_airbnbs_defaults),
        cmocka_unit_test(a_check_has_what_is_said),
        cmocka_unit_test(an_open_timeout_adds_to_the_read_timeout),
        cmocka_unit_test(a_tls_timeout_belongs_to_the_connecting),
        cmocka_unit_test(statuses_are_what_is_said_or_airbnbs),
        cmocka_unit_test(tls_proves_nothing_unless_told_to),
        cmocka_unit_test(redis_is_a_tcp_check_by_name),
        cmocka_unit_test(a_push_check_has_a_ttl),
        cmocka_unit_test(a_grpc_check_may_name_a_service_and_use_tls),
        cmocka_unit_test(checks_are_read_again_from_what_is_kept),
        cmocka_unit_test(what_is_kept_of_checks_may_be_wrong),
        cmocka_unit_test(a_command_is_kept_word_by_word),
        cmocka_unit_test(a_rate_is_limited_where_one_is_set),
        cmocka_unit_test(a_null_is_as_good_as_nothing),
        cmocka_unit_test(one_ensemble_is_one_whatever_the_order),
        cmocka_unit_test(services_that_share_no_znode_are_allowed),
        cmocka_unit_test(an_ipv6_server_may_have_brackets),
        cmocka_unit_test(mocked_checks_are_left_out),
        cmocka_unit_test(unknown_keys_are_told_with_their_place),
        cmocka_unit_test(odd_values_are_published_and_told),
        cmocka_unit_test(an_instance_id_given_replaces_the_files),
        cmocka_unit_test(an_instance_id_given_is_checked_as_the_files),
        cmocka_unit_test(a_host_that_is_left_out_is_that_of_the_environment),
        cmocka_unit_test(what_is_published_is_nerves_byte_for_byte),
        cmocka_unit_test(the_tutorials_configuration_works),
        cmocka_unit_test(the_sample_configuration_works),
        cmocka_unit_test(without_an_instance_id_it_is_the_hosts_name),
        cmocka_unit_test(a_name_that_many_hosts_have_is_none),
        cmocka_unit_test(
            a_wrong_value_is_told_with_its_place_and_what_is_right),
        cmocka_unit_test(every_error_is_told_and_every_key_that_is_not_known),
        cmocka_unit_test(a_payload_too_large_for_a_znode_is_refused),
        cmocka_unit_test(a_limit_itself_is_allowed),
        cmocka_unit_test(a_file_that_is_too_large_is_refused),
        cmocka_unit_test(a_file_that_cannot_be_read_is_told),
        TEST(each_json_file_is_a_service_named_like_it),
        TEST(what_is_no_regular_file_is_refused),
        TEST(a_file_takes_the_place_of_what_is_inline),
        TEST(the_directory_alone_may_hold_services),
        TEST(other_files_are_left_alone),
        TEST(yaml_is_refused_with_what_to_do),
        TEST(a_wrong_file_is_named_with_the_place_in_it),
        TEST(errors_in_several_files_are_all_told),
        TEST(a_note_names_the_file),
        TEST(the_same_instance_in_two_files_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
