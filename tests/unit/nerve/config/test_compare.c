/* test_compare.c - tests of nerve/config/compare.c
 *
 * Each case is what a service was, what it is to be, and what follows.
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "nerve/config/compare.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"

#define WEB "\"host\": \"h\", \"port\": 80, \"zk_path\": \"/a\""
#define ZK  ", \"zk_hosts\": [\"zk:1\"]"

/* Parses a configuration of <services>, after the members <top>. */
static struct config *parse(const char *top, const char *services) {
    struct error err = {0};
    struct config *config;
    char text[2000];

    snprintf(text, sizeof(text), "{%s, \"services\": {%s}}", top, services);
    config = config_parse(text, strlen(text), NULL, NULL, &err);
    if (!config)
        fail_msg("%s: %s", text, err.text);
    return config;
}

/* Compares two configurations; the fates of the <old> ones go to <fates>. */
static void compare(const struct config *old, const struct config *next,
                    struct config_fate *fates) {
    const struct service_config *running[8];

    for (size_t i = 0; i < old->service_count; i++)
        running[i] = &old->services[i];
    config_compare(running, old->service_count, next->services,
                   next->service_count, fates);
}

static void a_service_is_kept_where_its_znode_can_be(void **state) {
    static const struct {
        const char *what, *top, *service;
        int kind;
        bool same;
    } cases[] = {
        {"nothing", NULL, "\"web\": {" WEB ZK "}", FATE_KEPT, true},
        {"a key of no meaning", NULL, "\"web\": {" WEB ZK ", \"x\": 1}",
         FATE_KEPT, true},
        {"the name", NULL, "\"site\": {" WEB ZK "}", FATE_KEPT, false},
        {"the weight", NULL, "\"web\": {" WEB ZK ", \"weight\": 1}", FATE_KEPT,
         false},
        {"the labels", NULL, "\"web\": {" WEB ZK ", \"labels\": {}}", FATE_KEPT,
         false},
        {"the interval", NULL, "\"web\": {" WEB ZK ", \"check_interval\": 1}",
         FATE_KEPT, false},
        {"the rate limit", NULL,
         "\"web\": {" WEB ZK ", \"rate_limiting\": {\"average_rate\": 1}}",
         FATE_KEPT, false},
        {"a check", NULL,
         "\"web\": {" WEB ZK ", \"checks\": [{\"type\": \"tcp\"}]}", FATE_KEPT,
         false},
        {"the rate limit", NULL,
         "\"web\": {" WEB ZK ", \"rate_limiting\": {\"max_burst\": 1}}",
         FATE_KEPT, false},
        {"the path", NULL,
         "\"web\": {\"host\": \"h\", \"port\": 80, \"zk_path\": \"/b\"" ZK "}",
         FATE_REPLACED, false},
        {"the host", NULL,
         "\"web\": {\"host\": \"i\", \"port\": 80, \"zk_path\": \"/a\"" ZK "}",
         FATE_REPLACED, false},
        {"the port", NULL,
         "\"web\": {\"host\": \"h\", \"port\": 81, \"zk_path\": \"/a\"" ZK "}",
         FATE_REPLACED, false},
        {"the port's type", NULL,
         "\"web\": {\"host\": \"h\", \"port\": \"80\", \"zk_path\": \"/a\"" ZK
         "}",
         FATE_REPLACED, false},
        {"the servers", NULL,
         "\"web\": {" WEB ", \"zk_hosts\": [\"zk:1\", \"zk:2\"]}",
         FATE_REPLACED, false},
        {"the znode's name", NULL,
         "\"web\": {" WEB ZK ", \"use_path_encoding\": true}", FATE_REPLACED,
         false},
        {"the instance_id", "\"instance_id\": \"j\"", "\"web\": {" WEB ZK "}",
         FATE_REPLACED, false},
        {"the session timeout",
         "\"instance_id\": \"i\", \"session_timeout\": 5",
         "\"web\": {" WEB ZK "}", FATE_REPLACED, false},
        {"the name and the path", NULL,
         "\"site\": {\"host\": \"h\", \"port\": 80, \"zk_path\": \"/b\"" ZK "}",
         FATE_REMOVED, false},
        {"all", NULL, "", FATE_REMOVED, false},
    };
    struct config *old =
        parse("\"instance_id\": \"i\"", "\"web\": {" WEB ZK "}");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *top = cases[i].top;
        struct config *next =
            parse(top ? top : "\"instance_id\": \"i\"", cases[i].service);
        struct config_fate fate;

        print_message("  changed: %s\n", cases[i].what);
        compare(old, next, &fate);
        assert_int_equal(fate.kind, cases[i].kind);
        if (fate.kind != FATE_REMOVED)
            assert_int_equal(fate.by, 0);
        if (fate.kind == FATE_KEPT)
            assert_int_equal(
                config_same_service(&old->services[0], &next->services[0]),
                cases[i].same);
        config_free(next);
    }
    config_free(old);
}

static void names_that_are_exchanged_exchange_no_znodes(void **state) {
    struct config *old =
        parse("\"instance_id\": \"i\"",
              "\"a\": {" WEB ZK "}, \"b\": {\"host\": \"h\", \"port\": 81,"
              "\"zk_path\": \"/b\"" ZK "}");
    struct config *next =
        parse("\"instance_id\": \"i\"",
              "\"b\": {" WEB ZK "}, \"a\": {\"host\": \"h\", \"port\": 81,"
              "\"zk_path\": \"/b\"" ZK "}");
    struct config_fate fates[2];

    (void)state;
    compare(old, next, fates);
    assert_int_equal(fates[0].kind, FATE_KEPT);
    assert_int_equal(fates[0].by, 0);
    assert_int_equal(fates[1].kind, FATE_KEPT);
    assert_int_equal(fates[1].by, 1);
    config_free(next);
    config_free(old);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_kept_where_its_znode_can_be),
        cmocka_unit_test(names_that_are_exchanged_exchange_no_znodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
