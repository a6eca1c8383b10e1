/* test_config_memory.c - nerve's configuration when memory runs out
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"
#include "tests/fake/fake_malloc.c"

static const char text[] =
    "{\"instance_id\": \"i-1\", \"services\": {\"web\": {"
    "\"host\": \"10.0.0.7\", \"port\": 8080, \"zk_hosts\": [\"a:1\", \"b:1\"],"
    "\"zk_path\": \"/a/b\", \"use_path_encoding\": true, \"weight\": 7,"
    "\"haproxy_server_options\": \"backup\", \"labels\": {\"a\": [1, 0.1]},"
    "\"checks\": [{\"type\": \"redis\"},"
    "{\"type\": \"grpc\", \"service\": \"shop.Cart\"},"
    "{\"type\": \"exec\", \"command\": [\"a\", \"b\"]}, {\"type\": \"http\", "
    "\"uri\": \"/\","
    "\"method\": \"GET\", \"ssl\": true, \"ca_file\": \"/dev/null\","
    "\"sni\": \"a\", \"expect_status\": [200, \"300-399\"],"
    "\"expect\": \"OK\", \"headers\": {\"A\": \"b\", \"C\": \"\"}}]}}}";

static void assert_complete(const struct config *config) {
    const struct service_config *web = &config->services[0];

    assert_string_equal(web->ensemble, "a:1,b:1");
    assert_string_equal(web->payload, "{\"host\":\"10.0.0.7\",\"port\":8080,"
                                      "\"name\":\"i-1\",\"weight\":7,"
                                      "\"haproxy_server_options\":\"backup\","
                                      "\"labels\":{\"a\":[1,0.1]}}");
    assert_int_equal(web->check_count, 4);
    assert_int_equal(web->checks[3].header_count, 2);
    assert_string_equal(web->checks[3].headers[1], "C;");
}

/* Every allocation is refused in turn: each time there is either an error
 * that says something, or all of the configuration, and nothing is left. */
static void a_refused_allocation_is_an_error_and_no_more(void **state) {
    long before = fake_malloc_live;
    size_t refused = 0;
    bool over = false;

    (void)state;
    for (size_t n = 1; !over; n++) {
        struct error err = {0};
        struct config *config;

        fake_malloc_left = n;
        config = config_parse(text, sizeof(text) - 1, NULL, NULL, &err);
        over = fake_malloc_left > 0;
        fake_malloc_left = 0;
        if (config)
            assert_complete(config);
        else
            assert_string_not_equal(err.text, "");
        refused += config == NULL;
        config_free(config);
        assert_int_equal(fake_malloc_live, before);
    }
    if (fake_malloc_works)
        assert_in_range(refused, 50, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_allocation_is_an_error_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
