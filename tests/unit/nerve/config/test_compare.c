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

/* Compares two configurations; the outcomes of the <old> ones go to <outcomes>.
 */
static void compare(const struct config *old, const struct config *next,
                    struct config_outcome *outcomes) {
    const struct service_config *running[8];

    for (size_t i = 0; i < old->service_count; i++)
        running[i] = &old->services[i];
    config_compare(running, old->service_count, next->services,
                   next->service_count, outcomes);
}

static void a_service_is_kept_where_its_znode_can_be(void **state) {
    static const struct {
        const char *what, *top, *service;
        int kind;
        bool same;
    } cases[] = {
        {"nothing", NULL, "\"web\": {" WEB ZK "}", OUTCOME_KEPT, true},
        {"a key of no meaning", NULL, "\"web\": {" WEB ZK ", \"x\": 1}",
         OUTCOME_KEPT, true},
        {"the name", NULL, "\"site\": {" WEB ZK "}", OUTCOME_KEPT, false},
        {"the weight", NULL, "\"web\": {" WEB ZK ", \"weight\": 1}",
         OUTCOME_KEPT, false},
        {"the labels", NULL, "\"web\": {" WEB ZK ", \"labels\": {}}",
         OUTCOME_KEPT, false},
        {"the interval", NULL, "\"web\": {" WEB ZK ", \"check_interval\": 1}",
         OUTCOME_KEPT, false},
        {"the rate limit", NULL,
         "\"web\": {" WEB ZK ", \"rate_limiting\": {\"average_rate\": 1}}",
         OUTCOME_KEPT, false},
        {"a check", NULL,
         "\"web\": {" WEB ZK ", \"checks\": [{\"type\": \"tcp\"}]}",
         OUTCOME_KEPT, false},
        {"the rate limit", NULL,
         "\"web\": {" WEB ZK ", \"rate_limiting\": {\"max_burst\": 1}}",
         OUTCOME_KEPT, false},
        {"the path", NULL,
         "\"web\": {\"host\": \"h\", \"port\": 80, \"zk_path\": \"/b\"" ZK "}",
         OUTCOME_REPLACED, false},
        {"the host", NULL,
         "\"web\": {\"host\": \"i\", \"port\": 80, \"zk_path\": \"/a\"" ZK "}",
         OUTCOME_REPLACED, false},
        {"the port", NULL,
         "\"web\": {\"host\": \"h\", \"port\": 81, \"zk_path\": \"/a\"" ZK "}",
         OUTCOME_REPLACED, false},
        {"the port's type", NULL,
         "\"web\": {\"host\": \"h\", \"port\": \"80\", \"zk_path\": \"/a\"" ZK
         "}",
         OUTCOME_REPLACED, false},
        {"the servers", NULL,
         "\"web\": {" WEB ", \"zk_hosts\": [\"zk:1\", \"zk:2\"]}",
         OUTCOME_REPLACED, false},
        {"the znode's name", NULL,
         "\"web\": {" WEB ZK ", \"use_path_encoding\": true}", OUTCOME_REPLACED,
         false},
        {"the instance_id", "\"instance_id\": \"j\"", "\"web\": {" WEB ZK "}",
         OUTCOME_REPLACED, false},
        {"the session timeout",
         "\"instance_id\": \"i\", \"session_timeout\": 5",
         "\"web\": {" WEB ZK "}", OUTCOME_REPLACED, false},
        {"the name and the path", NULL,
         "\"site\": {\"host\": \"h\", \"port\": 80, \"zk_path\": \"/b\"" ZK "}",
         OUTCOME_REMOVED, false},
        {"all", NULL, "", OUTCOME_REMOVED, false},
    };
    struct config *old =
        parse("\"instance_id\": \"i\"", "\"web\": {" WEB ZK "}");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *top = cases[i].top;
        struct config *next =
            parse(top ? top : "\"instance_id\": \"i\"", cases[i].service);
        struct config_outcome outcome;

        print_message("  changed: %s\n", cases[i].what);
        compare(old, next, &outcome);
        assert_int_equal(outcome.kind, cases[i].kind);
        if (outcome.kind != OUTCOME_REMOVED)
            assert_int_equal(outcome.by, 0);
        if (outcome.kind == OUTCOME_KEPT)
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
    struct config_outcome outcomes[2];

    (void)state;
    compare(old, next, outcomes);
    assert_int_equal(outcomes[0].kind, OUTCOME_KEPT);
    assert_int_equal(outcomes[0].by, 0);
    assert_int_equal(outcomes[1].kind, OUTCOME_KEPT);
    assert_int_equal(outcomes[1].by, 1);
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
