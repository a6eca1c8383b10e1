/* test_handover.c - tests of nerve/process/handover.c
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "nerve/config/model.h"
#include "nerve/process/handover.h"
#include "nerve/register/ensemble.h"
#include "nerve/services/hold.h"
#include "nerve/services/services.h"

static char name[] = "web", host[] = "h\"", port[] = "80";
static char ensemble[] = "zk1:2181,zk2:2181", zk_path[] = "/a/b";
static char payload[] = "{\"host\":\"h\"}", identity[] = "{\"host\":\"h\"";
static char node[] = "i_", instance_id[] = "i", checking[] = "{}";
static char first[] = "/a/b/i_0000000001", second[] = "/a/b/i_0000000002";

static struct service_config config = {.name = name,
                                       .host = host,
                                       .port = port,
                                       .ensemble = ensemble,
                                       .zk_path = zk_path,
                                       .payload = payload,
                                       .identity = identity,
                                       .node = node,
                                       .encoded = true,
                                       .instance_id = instance_id,
                                       .node_type = NODE_PERSISTENT,
                                       .checking = checking,
                                       .session_timeout_ms = 3000};
static struct registered znodes[] = {{.path = first, .current = true},
                                     {.path = second, .misnamed = true}};
static struct health health[] = {{.state = HEALTH_UP, .streak = 2},
                                 {.state = HEALTH_DOWN, .streak = 0}};

static char author[] = "ann";
static struct hold hold = {
    .service = name, .out = true, .author = author, .since_ms = 1};
static const struct holds holds = {.list = &hold, .count = 1};

static const struct saved_session session = {
    .ensemble = ensemble,
    .session_timeout_ms = 3000,
    .hosts = "::1:2181,10.0.0.1:2181/chroot",
    .identity = {.id = -0x1234567890abcdef,
                 .password = "\0\x01\x7f\x80\xff passwor"}};

/* Returns what is handed over, owned by the caller. */
static char *write_all(double tokens, bool leaving) {
    struct saved_service service = {
        .config = &config,
        .known = {.wanted = true,
                  .unsettled = true,
                  .znodes = znodes,
                  .count = 2},
        .told = true,
        .leaving = leaving,
        .standing = {.state = HEALTH_DOWN,
                     .throttled = true,
                     .limit = {.tokens = tokens, .filled_ms = INT64_MAX},
                     .report = {.word = PUSH_FAIL, .reason = "no \"disk\""},
                     .silence_ms = 1234,
                     .health = health,
                     .count = 2}};
    struct json_t *all = handover_begin();
    char *text;

    assert_int_equal(handover_add_holds(all, &holds), 0);
    assert_int_equal(handover_add_session(all, &session), 0);
    assert_int_equal(handover_add_service(all, &service), 0);
    text = handover_text(all);
    handover_end(all);
    return text;
}

static struct handover *hand_over(double tokens, bool leaving) {
    char *text = write_all(tokens, leaving);
    struct handover *h = handover_read(text, strlen(text), NULL);

    free(text);
    assert_non_null(h);
    return h;
}

static void the_holds_arrive_as_they_were(void **state) {
    struct handover *h = hand_over(1, false);
    struct holds got = {0};

    (void)state;
    assert_int_equal(holds_decode(&got, h->holds, strlen(h->holds), NULL), 0);
    assert_int_equal(got.count, 1);
    assert_string_equal(got.list[0].service, name);
    assert_true(got.list[0].out);
    holds_close(&got);
    handover_free(h);
}

static void a_session_arrives_as_it_was(void **state) {
    struct handover *h = hand_over(1, false);

    (void)state;
    assert_int_equal(h->session_count, 1);
    assert_string_equal(h->sessions[0].ensemble, ensemble);
    assert_int_equal(h->sessions[0].session_timeout_ms, 3000);
    assert_string_equal(h->sessions[0].hosts, session.hosts);
    assert_int_equal(h->sessions[0].identity.id, session.identity.id);
    assert_memory_equal(h->sessions[0].identity.password,
                        session.identity.password,
                        sizeof(session.identity.password));
    handover_free(h);
}

static void a_configuration_arrives_as_it_was(void **state) {
    struct handover *h = hand_over(1, false);
    const struct service_config *got = h->services[0].config;

    (void)state;
    assert_int_equal(h->service_count, 1);
    assert_string_equal(got->name, name);
    assert_string_equal(got->host, host);
    assert_string_equal(got->port, port);
    assert_string_equal(got->ensemble, ensemble);
    assert_string_equal(got->zk_path, zk_path);
    assert_string_equal(got->payload, payload);
    assert_string_equal(got->identity, identity);
    assert_string_equal(got->node, node);
    assert_true(got->encoded);
    assert_string_equal(got->instance_id, instance_id);
    assert_string_equal(got->checking, checking);
    assert_int_equal(got->node_type, NODE_PERSISTENT);
    assert_int_equal(got->session_timeout_ms, 3000);
    handover_free(h);
}

static void what_is_known_of_a_service_arrives_as_it_was(void **state) {
    struct handover *h = hand_over(0.5, false);
    const struct saved_service *got = &h->services[0];

    (void)state;
    assert_true(got->told && got->known.wanted && got->known.unsettled);
    assert_false(got->leaving);
    assert_int_equal(got->known.count, 2);
    assert_string_equal(got->known.znodes[0].path, first);
    assert_true(got->known.znodes[0].current);
    assert_string_equal(got->known.znodes[1].path, second);
    assert_false(got->known.znodes[1].current);
    assert_false(got->known.znodes[0].misnamed);
    assert_true(got->known.znodes[1].misnamed);
    assert_int_equal(got->standing.state, HEALTH_DOWN);
    assert_true(got->standing.throttled);
    assert_true(got->standing.limit.tokens == 0.5);
    assert_int_equal(got->standing.limit.filled_ms, INT64_MAX);
    assert_int_equal(got->standing.report.word, PUSH_FAIL);
    assert_int_equal(got->standing.silence_ms, 1234);
    assert_string_equal(got->standing.report.reason, "no \"disk\"");
    assert_int_equal(got->standing.count, 2);
    assert_int_equal(got->standing.health[0].state, HEALTH_UP);
    assert_int_equal(got->standing.health[0].streak, 2);
    assert_int_equal(got->standing.health[1].state, HEALTH_DOWN);
    handover_free(h);
}

static void a_service_that_leaves_goes_on_leaving(void **state) {
    struct handover *h = hand_over(1, true);

    (void)state;
    assert_true(h->services[0].leaving);
    handover_free(h);
}

/* JSON has no word for what "no limit" is. */
static void no_limit_can_be_handed_over(void **state) {
    struct handover *h = hand_over(INFINITY, false);

    (void)state;
    assert_true(h->services[0].standing.limit.tokens == 0);
    handover_free(h);
}

static void assert_refused(const char *text, const char *why) {
    struct error err = {0};

    assert_null(handover_read(text, strlen(text), &err));
    assert_string_equal(err.text, why);
}

static void another_format_is_named(void **state) {
    (void)state;
    assert_refused("{\"format\":1,\"sessions\":[],\"services\":[]}",
                   "what was handed over is of format 1, not 5");
    assert_refused("{\"format\":999}",
                   "what was handed over is of format 999, not 5");
}

static void what_is_no_handover_is_damaged(void **state) {
    static const char damaged[] = "what was handed over is damaged";

    (void)state;
    assert_refused("", damaged);
    assert_refused("[]", damaged);
    assert_refused("{}", damaged);
    assert_refused("{\"format\":5}", damaged);
    assert_refused("{\"format\":5,\"sessions\":[{}],\"services\":[]}", damaged);
    assert_refused("{\"format\":5,\"sessions\":[],\"services\":[{}]}", damaged);
}

/* Whatever byte is missing: it is refused, or harmless. */
static void half_of_it_is_damaged(void **state) {
    char *text = write_all(1, false);
    struct error err = {0};

    (void)state;
    for (size_t length = 0; length < strlen(text); length++)
        assert_null(handover_read(text, length, &err));
    free(text);
}

/* Each text of it with another value in the place of the one it has. */
static void states_that_do_not_exist_are_damaged(void **state) {
    static const char *const wrong[][2] = {
        {"\"node_type\":2", "\"node_type\":4"},
        {"\"state\":2", "\"state\":3"},
        {"[1,2]", "[3,2]"},
        {"[1,2]", "[1,-2]"},
        {"[1,2]", "[1]"},
        {"[2,1234,", "[3,1234,"},
        {"[2,1234,", "[2,-123,"},
        {"\"session_timeout_ms\":3000,\"hosts\"",
         "\"session_timeout_ms\":   0,\"hosts\""},
        {"\"session_timeout_ms\":3000,\"node_type\":2",
         "\"session_timeout_ms\":300,\"node_type\":-1"},
        {"\"name\":\"web\"", "\"nam\":\"webb\""},
        {"\"path\":\"/a/b/i_0000000001\"", "\"path\":0.00000000000000001"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *text = write_all(1, false);
        char *at = strstr(text, wrong[i][0]);
        struct error err = {0};

        assert_non_null(at);
        memset(at, ' ', strlen(wrong[i][0]));
        memcpy(at, wrong[i][1], strlen(wrong[i][1]));
        assert_null(handover_read(text, strlen(text), &err));
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_holds_arrive_as_they_were),
        cmocka_unit_test(a_session_arrives_as_it_was),
        cmocka_unit_test(a_configuration_arrives_as_it_was),
        cmocka_unit_test(what_is_known_of_a_service_arrives_as_it_was),
        cmocka_unit_test(a_service_that_leaves_goes_on_leaving),
        cmocka_unit_test(no_limit_can_be_handed_over),
        cmocka_unit_test(another_format_is_named),
        cmocka_unit_test(what_is_no_handover_is_damaged),
        cmocka_unit_test(half_of_it_is_damaged),
        cmocka_unit_test(states_that_do_not_exist_are_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
