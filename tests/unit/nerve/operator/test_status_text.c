/* test_status_text.c - tests of nerve/operator/status_text.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nerve/operator/status_text.h"

static void assert_narrow(const char *status, int width, const char *wanted) {
    json_t *json = json_loads(status, 0, NULL);
    char *text = status_text(json, 1000000, width);

    assert_non_null(json);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(json);
}

static void assert_shown(const char *status, const char *wanted) {
    assert_narrow(status, 0, wanted);
}

static void services_are_a_table_and_holds_are_below(void **state) {
    (void)state;
    assert_shown(
        "{\"services\": ["
        "{\"name\": \"web\", \"host\": \"10.0.0.7\", \"port\": \"8080\","
        " \"state\": \"up\", \"connected\": true, \"settled\": true,"
        " \"registered\": \"/web/i_1\", \"published\": {\"weight\": 7}},"
        "{\"name\": \"a\", \"host\": \"::1\", \"port\": \"80\","
        " \"state\": \"down\", \"connected\": true, \"settled\": true,"
        " \"registered\": null, \"published\": {},"
        " \"hold\": {\"out\": true, \"author\": \"ann\", \"since_ms\": 820000,"
        " \"until_ms\": 2620000, \"reason\": \"new disk\"}}]}",
        "SERVICE  ADDRESS        CHECKS  WEIGHT  REGISTRATION\n"
        "web      10.0.0.7:8080  up      7       /web/i_1\n"
        "a        ::1:80         down    -       -\n"
        "  disabled by ann 3m ago, for 27m more: new disk\n");
}

static void what_a_service_has_said_of_itself_is_below_it(void **state) {
    static const struct {
        const char *report, *wanted;
    } cases[] = {
        {"\"passed\": null", "has not reported yet"},
        {"\"passed\": true, \"silent_ms\": 12000",
         "passed 12s ago, the next report is due within 18s"},
        {"\"passed\": true, \"silent_ms\": 90000",
         "silent for 1m30s, more than its ttl of 30s"},
        {"\"passed\": false, \"silent_ms\": 4000, \"reason\": \"disk full\"",
         "reported as failed 4s ago: disk full"},
        {"\"passed\": false, \"silent_ms\": 4000", "reported as failed 4s ago"},
    };
    char status[400], wanted[200];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        snprintf(status, sizeof(status),
                 "{\"services\": [{\"name\": \"a\", \"host\": \"h\","
                 " \"port\": \"1\", \"state\": \"up\", \"connected\": true,"
                 " \"settled\": true, \"registered\": null,"
                 " \"report\": {\"ttl_ms\": 30000, %s}}]}",
                 cases[i].report);
        snprintf(wanted, sizeof(wanted),
                 "SERVICE  ADDRESS  CHECKS  WEIGHT  REGISTRATION\n"
                 "a        h:1      up      -       -\n"
                 "  %s\n",
                 cases[i].wanted);
        assert_shown(status, wanted);
    }
}

static void what_zookeeper_does_not_have_yet_is_said(void **state) {
    (void)state;
    assert_shown(
        "{\"services\": ["
        "{\"name\": \"a\", \"host\": \"h\", \"port\": \"1\","
        " \"state\": \"up\", \"connected\": false, \"settled\": false,"
        " \"registered\": \"/a\"},"
        "{\"name\": \"b\", \"host\": \"h\", \"port\": \"2\","
        " \"state\": \"up\", \"connected\": true, \"settled\": false,"
        " \"registered\": \"/b\", \"published\": {\"weight\": 3},"
        " \"hold\": {\"out\": false, \"weight\": 3, \"author\": \"ann\","
        " \"since_ms\": 999000, \"until_ms\": 0}}]}",
        "SERVICE  ADDRESS  CHECKS  WEIGHT  REGISTRATION\n"
        "a        h:1      up      -       /a (ZooKeeper is away)\n"
        "b        h:2      up      3       /b (being changed)\n"
        "  weight 3 by ann 1s ago\n");
}

/* The log named the cause, and the table said "being changed". */
static void the_cause_is_said_where_it_is_known(void **state) {
    (void)state;
    assert_shown(
        "{\"services\": ["
        "{\"name\": \"a\", \"host\": \"h\", \"port\": \"1\","
        " \"state\": \"up\", \"connected\": false, \"settled\": false,"
        " \"trouble\": \"zk1: unknown\", \"registered\": \"/a\"},"
        "{\"name\": \"b\", \"host\": \"h\", \"port\": \"2\","
        " \"state\": \"up\", \"connected\": true, \"settled\": false,"
        " \"trouble\": \"/b: not authenticated\", \"registered\": null}]}",
        "SERVICE  ADDRESS  CHECKS  WEIGHT  REGISTRATION\n"
        "a        h:1      up      -       /a (ZooKeeper is away: zk1: "
        "unknown)\n"
        "b        h:2      up      -       - (/b: not authenticated)\n");
}

static void holds_of_what_is_not_configured_are_shown_too(void **state) {
    (void)state;
    assert_shown("{\"services\": [], \"other_holds\": [{\"service\": \"web\","
                 " \"out\": true, \"author\": \"ann\", \"since_ms\": 999000,"
                 " \"until_ms\": 0, \"reason\": \"r\"}]}",
                 "SERVICE  ADDRESS  CHECKS  WEIGHT  REGISTRATION\n"
                 "web is not configured, but\n"
                 "  disabled by ann 1s ago: r\n");
}

/* The table needed 110 columns: in a terminal of 80 each line was broken where
 * it happened to end. */
static void a_narrow_terminal_gets_what_it_has_room_for(void **state) {
    static const char status[] =
        "{\"services\": ["
        "{\"name\": \"your_http_service\", \"host\": \"10.123.45.67\","
        " \"port\": \"8080\", \"state\": \"up\", \"connected\": true,"
        " \"settled\": false, \"trouble\": \"/nerve: no such znode\","
        " \"registered\": \"/nerve/your_http_service/ip-10-1_0000000012\","
        " \"published\": {\"weight\": 7},"
        " \"hold\": {\"out\": false, \"weight\": 7, \"author\": \"ann\","
        " \"since_ms\": 999000, \"until_ms\": 0}},"
        "{\"name\": \"b\", \"host\": \"::1\", \"port\": \"80\","
        " \"state\": \"down\", \"connected\": true, \"settled\": true,"
        " \"registered\": null}]}";
    static const char whole[] =
        "SERVICE            ADDRESS            CHECKS  WEIGHT  REGISTRATION\n"
        "your_http_service  10.123.45.67:8080  up      7       "
        "/nerve/your_http_service/ip-10-1_0000000012 (/nerve: no such znode)\n"
        "  weight 7 by ann 1s ago\n"
        "b                  ::1:80             down    -       -\n";

    (void)state;
    assert_narrow(status, 0, whole);
    assert_narrow(status, 121, whole);
    assert_narrow(
        status, 120,
        "SERVICE            ADDRESS            CHECKS  WEIGHT  REGISTRATION\n"
        "your_http_service  10.123.45.67:8080  up      7       "
        "/nerve/your_http_service/ip-10-1_0000000012\n"
        "  /nerve: no such znode\n"
        "  weight 7 by ann 1s ago\n"
        "b                  ::1:80             down    -       -\n");
    assert_narrow(
        status, 80,
        "SERVICE            ADDRESS            CHECKS  WEIGHT  REGISTRATION\n"
        "your_http_service  10.123.45.67:8080  up      7       "
        "...vice/ip-10-1_0000000012\n"
        "  /nerve: no such znode\n"
        "  weight 7 by ann 1s ago\n"
        "b                  ::1:80             down    -       -\n");
    assert_narrow(status, 70,
                  "SERVICE            ADDRESS            CHECKS  REGISTRATION\n"
                  "your_http_service  10.123.45.67:8080  up      "
                  "...ce/ip-10-1_0000000012\n"
                  "  /nerve: no such znode\n"
                  "  weight 7 by ann 1s ago\n"
                  "b                  ::1:80             down    -\n");
    assert_narrow(status, 20,
                  "SERVICE            CHECKS  REGISTRATION\n"
                  "your_http_service  up      ...p-10-1_0000000012\n"
                  "  /nerve: no such znode\n"
                  "  weight 7 by ann 1s ago\n"
                  "b                  down    -\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_a_table_and_holds_are_below),
        cmocka_unit_test(what_a_service_has_said_of_itself_is_below_it),
        cmocka_unit_test(what_zookeeper_does_not_have_yet_is_said),
        cmocka_unit_test(the_cause_is_said_where_it_is_known),
        cmocka_unit_test(holds_of_what_is_not_configured_are_shown_too),
        cmocka_unit_test(a_narrow_terminal_gets_what_it_has_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
