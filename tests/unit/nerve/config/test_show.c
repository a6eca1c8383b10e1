/* test_show.c - tests of nerve/config/show.c
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
#include "nerve/config/model.h"
#include "nerve/config/read.h"
#include "nerve/config/show.h"

/* Asserts what is shown of the service "web" that has <members> too. */
static void assert_shown(const char *members, const char *wanted) {
    struct error err = {0};
    char text[1500];
    struct config *config;
    json_t *json;
    char *shown;

    snprintf(text, sizeof(text),
             "{\"instance_id\": \"i\", \"services\": {\"web\": {\"host\": "
             "\"10.0.0.7\", \"port\": 80, \"zk_hosts\": [\"zk:2181\"], "
             "\"zk_path\": \"/web\"%s}}}",
             members);
    config = config_parse(text, strlen(text), NULL, NULL, &err);
    assert_string_equal(err.text, "");
    json = config_redacted(&config->services[0]);
    shown = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    if (!strstr(shown, wanted))
        fail_msg("no %s in %s", wanted, shown);
    assert_null(strstr(shown, "s3cret"));
    free(shown);
    json_decref(json);
    config_free(config);
}

static void a_service_is_shown(void **state) {
    (void)state;
    /* The type of znode was shown as a number. */
    assert_shown(", \"checks\": []",
                 "{\"check_interval_ms\":500,\"checks\":[],\"host\":"
                 "\"10.0.0.7\",\"name\":\"web\",\"node_type\":"
                 "\"ephemeral_sequential\",\"port\":\"80\",\"rate_limiting\":"
                 "false,");
    assert_shown(", \"checks\": []", "\"zk_hosts\":\"zk:2181\",\"zk_path\":"
                                     "\"/web\"");
    assert_shown(", \"checks\": [], \"rate_limiting\": {\"average_rate\": 1}",
                 "\"rate_limiting\":true");
}

/* What is sent and expected, headers, paths of requests and the arguments of a
 * program may hold passwords. */
static void what_may_be_a_secret_is_not(void **state) {
    (void)state;
    assert_shown(", \"checks\": [{\"type\": \"tcp\", \"send\": \"s3cret\", "
                 "\"expect\": \"s3cret\"}]",
                 "\"expects\":true");
    assert_shown(", \"checks\": [{\"type\": \"tcp\"}]", "\"sends\":false");
    assert_shown(", \"checks\": [{\"type\": \"http\", \"uri\": \"/s3cret\", "
                 "\"headers\": {\"A\": \"s3cret\", \"B\": \"s3cret\"}}]",
                 "\"headers\":2,\"host\":\"10.0.0.7\"");
    assert_shown(", \"checks\": [{\"type\": \"exec\", \"name\": \"n\", "
                 "\"command\": [\"/bin/check\", \"s3cret\"]}]",
                 "\"program\":\"/bin/check\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_shown),
        cmocka_unit_test(what_may_be_a_secret_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
