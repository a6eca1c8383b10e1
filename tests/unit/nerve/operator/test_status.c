/* test_status.c - tests of nerve/operator/status.c; what is known of the
 * services is given
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "nerve/config/model.h"
#include "nerve/operator/status.h"
#include "nerve/register/reporter.h"
#include "nerve/services/health.h"
#include "nerve/services/hold.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"

static char web_name[] = "web", old_name[] = "old", host[] = "10.0.0.7";
static char port[] = "80", author[] = "ann", gone[] = "gone";
static struct check_config push = {.kind = CHECK_PUSH, .ttl_ms = 30000};
static struct service_config configs[] = {
    {.name = web_name, .host = host, .port = port},
    {.name = old_name, .host = host, .port = port}};
static struct service services[] = {{.config = &configs[0]},
                                    {.config = &configs[1]}};
static struct push_report report;
static const char *trouble;

const struct service *services_at(const struct services *r, size_t index) {
    (void)r;
    return index < 2 ? &services[index] : NULL;
}

const char *service_trouble(const struct service *s) {
    return s == &services[0] ? trouble : NULL;
}

enum health_state watcher_state(const struct watcher *w) {
    (void)w;
    return HEALTH_UP;
}

const struct push_report *watcher_heard(const struct watcher *w) {
    (void)w;
    return &report;
}

uint64_t watcher_silence(const struct watcher *w) {
    (void)w;
    return 1500;
}

bool reporter_is_connected(const struct reporter *r) {
    (void)r;
    return true;
}

bool reporter_is_settled(const struct reporter *r) {
    (void)r;
    return false;
}

const char *reporter_path(const struct reporter *r) {
    (void)r;
    return "/web/i";
}

const char *reporter_payload(const struct reporter *r) {
    (void)r;
    return "{\"weight\": 3}";
}

static int begin(void **state) {
    static int watched;

    (void)state;
    services[0].watcher = (struct watcher *)&watched;
    services[1].watcher = NULL;
    configs[0].checks = &push;
    configs[0].check_count = 0;
    report = (struct push_report){0};
    trouble = NULL;
    return 0;
}

/* The status as text, but for the pid and the version. */
static void assert_status(const struct holds *holds, const char *wanted) {
    json_t *status = status_json(NULL, holds);
    char *text;

    assert_int_equal(json_integer_value(json_object_get(status, "pid")),
                     getpid());
    assert_string_equal(json_string_value(json_object_get(status, "version")),
                        VERSION);
    json_object_del(status, "pid");
    json_object_del(status, "version");
    text = json_dumps(status, JSON_COMPACT);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(status);
}

#define WEB(STATE, MORE)                                                       \
    "{\"name\":\"web\",\"host\":\"10.0.0.7\",\"port\":\"80\",\"state\":"       \
    "\"" STATE "\",\"connected\":true,\"settled\":false,"                      \
    "\"registered\":\"/web/i\",\"published\":{\"weight\":3}" MORE "}"
#define OLD                                                                    \
    "{\"name\":\"old\",\"host\":\"10.0.0.7\",\"port\":\"80\",\"state\":"       \
    "\"leaving\",\"connected\":true,\"settled\":false,"                        \
    "\"registered\":\"/web/i\",\"published\":{\"weight\":3}}"
#define STATUS(WEB) "{\"services\":[" WEB "," OLD "]}"

static void lists_the_services_also_one_that_is_leaving(void **state) {
    const struct holds none = {0};

    (void)state;
    assert_status(&none, STATUS(WEB("up", "")));
}

static void says_what_keeps_a_service_from_being_registered(void **state) {
    const struct holds none = {0};
    json_t *status;

    (void)state;
    trouble = "no node";
    status = status_json(NULL, &none);
    assert_string_equal(
        json_string_value(json_object_get(
            json_array_get(json_object_get(status, "services"), 0), "trouble")),
        "no node");
    json_decref(status);
}

static void says_what_a_service_has_said_of_itself(void **state) {
    const struct holds none = {0};

    (void)state;
    configs[0].check_count = 1;
    assert_status(
        &none,
        STATUS(WEB("up", ",\"report\":{\"passed\":null,\"ttl_ms\":30000}")));
    report.word = PUSH_PASS;
    assert_status(&none, STATUS(WEB("up", ",\"report\":{\"passed\":true,"
                                          "\"ttl_ms\":30000,\"silent_ms\":"
                                          "1500}")));
    report.word = PUSH_FAIL;
    strcpy(report.reason, "disk");
    assert_status(&none, STATUS(WEB("up", ",\"report\":{\"passed\":false,"
                                          "\"ttl_ms\":30000,\"silent_ms\":"
                                          "1500,\"reason\":\"disk\"}")));
}

static void holds_of_services_that_are_not_there_are_apart(void **state) {
    struct hold list[] = {{.service = web_name, .author = author, .out = true},
                          {.service = gone, .author = author, .weight = 2},
                          {.service = old_name, .author = author, .weight = 3}};
    const struct holds holds = {.list = list, .count = 3};
    json_t *status = status_json(NULL, &holds);
    json_t *others = json_object_get(status, "other_holds");
    json_t *web = json_array_get(json_object_get(status, "services"), 0);

    (void)state;
    assert_true(
        json_is_true(json_object_get(json_object_get(web, "hold"), "out")));
    assert_int_equal(json_array_size(others), 2);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(others, 0), "service")),
                        "gone");
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(others, 1), "service")),
                        "old");
    json_decref(status);
}

static void a_dump_has_the_configuration_and_what_nerve_runs_on(void **state) {
    const struct holds none = {0};
    json_t *dump = status_dump(NULL, &none);
    json_t *configuration = json_object_get(dump, "configuration");

    (void)state;
    assert_int_equal(json_array_size(configuration), 2);
    assert_non_null(json_object_get(json_object_get(dump, "status"), "pid"));
    assert_true(json_integer_value(json_object_get(
                    json_object_get(dump, "process"), "max_rss_kib")) > 0);
    json_decref(dump);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(lists_the_services_also_one_that_is_leaving),
        TEST(says_what_keeps_a_service_from_being_registered),
        TEST(says_what_a_service_has_said_of_itself),
        TEST(holds_of_services_that_are_not_there_are_apart),
        TEST(a_dump_has_the_configuration_and_what_nerve_runs_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
