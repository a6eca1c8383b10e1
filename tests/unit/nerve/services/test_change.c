/* test_change.c - tests of nerve/services/change.c and services.c: what a new
 * configuration makes of the services that run
 *
 * Ensembles and reporters only tell what was asked of them; a test says what
 * has come of a registration.
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
#include "nerve/config/service.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"
#include "nerve/services/health.h"
#include "nerve/services/hold.h"
#include "nerve/services/schedule.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"
#include "tests/fake/fake_check.c"
#include "tests/fake/fake_log.c"
#include "tests/fake/fake_register.c"
#include "tests/fake/fake_statsd.c"

static uv_loop_t loop;
static struct services *services;
static struct holds holds;

static int begin(void **state) {
    static struct lateness late;
    struct services_env env = {.check = {.loop = &loop, .late = &late},
                               .holds = &holds};

    (void)state;
    /* The line of the minute was told already. */
    late.quiet_until_ms = UINT64_MAX;
    all_gone = false;
    story[0] = fake_ran[0] = fake_counted[0] = '\0';
    fake_running = NULL;
    fake_log_clear();
    if (uv_loop_init(&loop) != 0)
        return -1;
    services = services_new(&env);
    return services ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    services_close(services);
    uv_run(&loop, UV_RUN_DEFAULT);
    services_free(services);
    holds_close(&holds);
    return uv_loop_close(&loop);
}

/* One service. */
#define SERVICE(NAME, PATH, HOSTS, MORE)                                       \
    "\"" NAME                                                                  \
    "\": {\"host\": \"127.0.0.1\", \"port\": 80, \"zk_path\": \"" PATH         \
    "\", \"zk_hosts\": [\"" HOSTS "\"]" MORE                                   \
    ", \"check_interval\": 0.01, \"checks\": [{\"type\": \"noop\"}]}"
#define WEB SERVICE("web", "/web", "zk1:2181", "")
#define API SERVICE("api", "/api", "zk1:2181", "")

static void apply_as(const char *members, const char *auth) {
    struct error err = {0};
    struct config *config;
    char text[2000];

    snprintf(text, sizeof(text), "{\"instance_id\": \"i\", \"services\": {%s}}",
             members);
    config = config_parse(text, strlen(text), NULL, NULL, &err);
    assert_string_equal(err.text, "");
    assert_non_null(config);
    if (auth)
        config->auth = strdup(auth);
    assert_int_equal(services_apply(services, config, true), 0);
    config_free(config);
}

static void apply(const char *members) { apply_as(members, NULL); }

static struct reporter *reporter_of(size_t index) {
    return services_at(services, index)->reporter;
}

/* Lets the services see what has become of the registrations. */
static void settle(void) {
    services_settle(services);
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* The check of the service <index> passes, which no other one does. */
static void pass_check(size_t index) {
    const struct service *s = services_at(services, index);

    while (!fake_running || fake_running->config != &s->config->checks[0]) {
        fake_running = NULL;
        uv_run(&loop, UV_RUN_ONCE);
    }
    fake_result(CHECK_PASSED, NULL);
}

static void runs_the_services_of_one_ensemble_in_one_session(void **state) {
    (void)state;
    apply(WEB ", " API);
    assert_non_null(services_at(services, 1));
    assert_null(services_at(services, 2));
    assert_non_null(services_ensemble(services, 0));
    assert_null(services_ensemble(services, 1));
    assert_story("open zk1:2181\n");
    assert_true(fake_log_is("info web: added\ninfo api: added\n"));
    assert_true(service_is_current(services_at(services, 0)));
}

static void the_same_configuration_changes_nothing(void **state) {
    const struct service *web;
    const struct watcher *watcher;

    (void)state;
    apply(WEB);
    web = services_at(services, 0);
    watcher = web->watcher;
    fake_log_clear();
    story[0] = '\0';
    apply(WEB);
    assert_ptr_equal(services_at(services, 0), web);
    assert_ptr_equal(web->watcher, watcher);
    assert_null(services_at(services, 1));
    assert_story("same data web\n");
    assert_true(fake_log_is(""));
}

static void other_data_are_published_while_the_checks_go_on(void **state) {
    const struct watcher *watcher;

    (void)state;
    apply(WEB);
    watcher = services_at(services, 0)->watcher;
    fake_log_clear();
    story[0] = '\0';
    apply(SERVICE("web", "/web", "zk1:2181", ", \"weight\": 7"));
    assert_ptr_equal(services_at(services, 0)->watcher, watcher);
    assert_non_null(strstr(reporter_of(0)->config->payload, "\"weight\":7"));
    assert_story("other data web\n");
    assert_true(fake_log_is("info web: settings changed\n"));
}

static void other_checks_begin_anew_under_the_same_registration(void **state) {
    const struct watcher *watcher;
    const struct reporter *reporter;

    (void)state;
    apply(WEB);
    watcher = services_at(services, 0)->watcher;
    reporter = reporter_of(0);
    fake_log_clear();
    story[0] = '\0';
    apply("\"web\": {\"host\": \"127.0.0.1\", \"port\": 80, \"zk_path\": "
          "\"/web\", \"zk_hosts\": [\"zk1:2181\"], \"checks\": []}");
    assert_ptr_not_equal(services_at(services, 0)->watcher, watcher);
    assert_ptr_equal(reporter_of(0), reporter);
    /* It has no checks any more, so it is up. */
    assert_story("same data web\nwant /web\n");
    assert_true(service_is_current(services_at(services, 0)));
}

/* A changed check of the service, or of its interval, is no silence of it. */
static void what_a_service_said_is_known_when_its_checks_change(void **state) {
#define PUSHED(MORE)                                                           \
    "\"web\": {\"host\": \"127.0.0.1\", \"port\": 80, \"zk_path\": "           \
    "\"/web\", \"zk_hosts\": [\"zk1:2181\"], \"checks\": [{\"type\": "         \
    "\"push\", \"ttl\": 30}" MORE "]}"
    const struct watcher *before;

    (void)state;
    apply(PUSHED(""));
    watcher_hear(services_at(services, 0)->watcher, PUSH_FAIL, "disk full");
    before = services_at(services, 0)->watcher;
    apply(PUSHED(", {\"type\": \"noop\"}"));
    assert_ptr_not_equal(services_at(services, 0)->watcher, before);
    assert_string_equal(
        watcher_heard(services_at(services, 0)->watcher)->reason, "disk full");
}

static void a_service_under_another_name_stays_registered(void **state) {
    const struct reporter *reporter;

    (void)state;
    apply(WEB);
    reporter = reporter_of(0);
    fake_log_clear();
    story[0] = '\0';
    apply(SERVICE("site", "/web", "zk1:2181", ""));
    assert_ptr_equal(reporter_of(0), reporter);
    assert_null(services_at(services, 1));
    assert_string_equal(reporter->config->name, "site");
    assert_true(fake_log_is("info site: settings changed\n"));
}

static void a_removed_service_is_there_until_it_is_deregistered(void **state) {
    (void)state;
    apply(WEB ", " API);
    reporter_of(0)->registered = true;
    fake_log_clear();
    story[0] = '\0';
    apply(API);
    assert_true(fake_log_is("info web: no longer configured\n"));
    settle();
    assert_true(service_is_leaving(services_at(services, 0)));
    assert_false(service_is_current(services_at(services, 0)));
    assert_false(service_is_leaving(services_at(services, 1)));
    assert_story("drop /web\nsame data api\n");
    reporter_of(0)->registered = false;
    settle();
    assert_string_equal(services_at(services, 0)->config->name, "api");
    assert_null(services_at(services, 1));
    assert_story("");
}

static void one_that_comes_back_in_time_is_kept(void **state) {
    const struct service *web;

    (void)state;
    apply(WEB ", " API);
    web = services_at(services, 0);
    reporter_of(0)->registered = true;
    apply(API);
    fake_log_clear();
    apply(WEB ", " API);
    settle();
    assert_ptr_equal(services_at(services, 0), web);
    assert_true(service_is_current(web));
    assert_true(fake_log_is("info web: added\n"));
}

/* Else the service would be without any instance for a moment. */
static void an_old_registration_stays_until_the_new_one_is_there(void **state) {
    (void)state;
    apply(WEB);
    reporter_of(0)->registered = reporter_of(0)->wanted = true;
    fake_log_clear();
    story[0] = '\0';
    apply(SERVICE("web", "/site", "zk1:2181", ""));
    assert_true(
        fake_log_is("info web: registering it again; stays registered as "
                    "before until then\ninfo web: added\n"));
    settle();
    assert_false(service_is_leaving(services_at(services, 0)));
    assert_false(service_is_current(services_at(services, 0)));
    assert_true(service_is_current(services_at(services, 1)));
    pass_check(1);
    assert_story("want /site\n");
    settle();
    assert_story("");
    reporter_of(1)->registered = true;
    settle();
    assert_story("drop /web\n");
    reporter_of(0)->registered = false;
    settle();
    assert_string_equal(services_at(services, 0)->config->zk_path, "/site");
    assert_null(services_at(services, 1));
}

/* The znode of another session may be that of the old one. */
static void an_old_registration_in_the_way_of_the_new_one_goes(void **state) {
    (void)state;
    apply(WEB);
    reporter_of(0)->registered = reporter_of(0)->wanted = true;
    apply(
        SERVICE("web", "/web", "zk1:2181", ", \"node_type\": \"persistent\""));
    assert_non_null(services_at(services, 1));
    reporter_of(1)->blocked = true;
    story[0] = '\0';
    settle();
    assert_story("drop /web\n");
}

static void one_that_is_down_waits_for_no_successor(void **state) {
    (void)state;
    apply(WEB);
    apply(SERVICE("web", "/site", "zk1:2181", ""));
    settle();
    assert_string_equal(services_at(services, 0)->config->zk_path, "/site");
    assert_null(services_at(services, 1));
}

static void a_session_ends_when_nobody_uses_it_any_more(void **state) {
    (void)state;
    apply(WEB);
    story[0] = '\0';
    apply(SERVICE("web", "/web", "zk2:2181", ""));
    assert_story("open zk2:2181\n");
    settle();
    assert_story("drop /web\nclose zk1:2181\n");
    assert_non_null(services_ensemble(services, 0));
    assert_null(services_ensemble(services, 1));
    apply(SERVICE("web", "/web", "zk2:2181", "") ", " API);
    assert_story("open zk1:2181\nsame data web\n");
}

static void credentials_are_shown_once_and_by_all_sessions(void **state) {
    (void)state;
    apply_as(WEB, "u:p");
    /* The session was opened before there were any. */
    assert_story("open zk1:2181\nshow u:p\n");
    apply_as(WEB, "u:p");
    assert_story("same data web\n");
    apply_as(WEB ", " SERVICE("api", "/api", "zk2:2181", ""), "u:p");
    assert_story("open zk2:2181\nopen with u:p\nsame data web\n");
    apply_as(WEB ", " SERVICE("api", "/api", "zk2:2181", ""), "u:q");
    assert_story("show u:q\nshow u:q\nsame data web\nsame data api\n");
}

static void an_operator_is_obeyed_from_the_start(void **state) {
    struct hold hold = {.service = strdup("web"),
                        .author = strdup("a"),
                        .out = true,
                        .since_ms = 1};

    (void)state;
    assert_int_equal(holds_put(&holds, &hold), 0);
    apply(WEB ", " API);
    assert_story("open zk1:2181\nhold web\n");
    holds_end(&holds, "web");
    services_use_holds(services);
    assert_story("let go web\n");
}

static void all_leave_at_the_end(void **state) {
    struct event overflow = {.type = EVENT_OVERFLOW};

    (void)state;
    apply(WEB ", " SERVICE("api", "/api", "zk2:2181", ""));
    story[0] = '\0';
    services_absorb(services, &overflow);
    assert_story("event for zk1:2181\nevent for zk2:2181\n");
    services_leave(services);
    assert_story("drop /web\ndrop /api\n");
    assert_false(services_has_left(services));
    all_gone = true;
    assert_true(services_has_left(services));
    assert_false(services_is_closed(services));
    services_close(services);
    services_close(services);
    assert_story("close zk1:2181\nclose zk2:2181\n");
    assert_true(services_is_closed(services));
    assert_true(services_is_closed(NULL));
}

/* As airbnb's nerve does, whose dashboards know these. */
static void watchers_and_sessions_are_counted(void **state) {
    (void)state;
    apply(WEB ", " API);
    assert_counted("nerve.reporter.zk.client.created zk_cluster=zk\n"
                   "nerve.reporter.zk.client.reused zk_cluster=zk\n"
                   "nerve.watcher.launch launch_reason=new watcher_name=web\n"
                   "nerve.watcher.launch launch_reason=new watcher_name=api\n");
    apply(WEB ", " API);
    assert_counted("");
    apply("\"web\": {\"host\": \"127.0.0.1\", \"port\": 80, \"zk_path\": "
          "\"/web\", \"zk_hosts\": [\"zk1:2181\"], \"checks\": []}");
    assert_counted(
        "nerve.watcher.reap reap_reason=old watcher_name=api\n"
        "nerve.watcher.launch launch_reason=update watcher_name=web\n"
        "nerve.watcher.status.transition new_status=up service_name=web\n");
    apply(SERVICE("web", "/site", "zk1:2181", ""));
    assert_counted("nerve.reporter.zk.client.reused zk_cluster=zk\n"
                   "nerve.watcher.launch launch_reason=new watcher_name=web\n");
    reporter_of(2)->registered = true;
    settle();
    assert_non_null(
        strstr(fake_counted,
               "nerve.watcher.reap reap_reason=update watcher_name=web\n"));
}

/* Without another change of the configuration. */
static void what_leaves_is_looked_at_until_it_has_left(void **state) {
    (void)state;
    apply(WEB ", " API);
    settle();
    assert_false(uv_is_active((uv_handle_t *)&services->settle));
    reporter_of(0)->registered = true;
    apply(API);
    settle();
    assert_true(uv_is_active((uv_handle_t *)&services->settle));
    reporter_of(0)->registered = false;
    while (uv_is_active((uv_handle_t *)&services->settle))
        uv_run(&loop, UV_RUN_ONCE);
    assert_null(services_at(services, 1));
}

/* A service of the process before has no checks of its own until the
 * configuration has been compared; it is none that leaves. */
static void a_service_of_the_process_before_may_leave_too(void **state) {
    struct error err = {0};
    static const char text[] =
        "{\"instance_id\": \"i\", \"services\": {" WEB "}}";
    struct config *config =
        config_parse(text, sizeof(text) - 1, NULL, NULL, &err);
    struct saved_service saved = {.standing = {.state = HEALTH_UP, .count = 1}};
    struct service *s;

    (void)state;
    apply(WEB);
    saved.config = service_config_move(&config->services[0]);
    saved.standing.health = calloc(1, sizeof(struct health));
    config_free(config);
    s = service_restore(&saved, services->ensembles[0], NULL, NULL);
    assert_null(saved.config);
    assert_null(saved.standing.health);
    assert_false(service_is_leaving(s));
    service_leave(s, 0);
    assert_true(service_is_leaving(s));
    service_free(s);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(runs_the_services_of_one_ensemble_in_one_session),
        TEST(the_same_configuration_changes_nothing),
        TEST(other_data_are_published_while_the_checks_go_on),
        TEST(other_checks_begin_anew_under_the_same_registration),
        TEST(what_a_service_said_is_known_when_its_checks_change),
        TEST(a_service_under_another_name_stays_registered),
        TEST(a_removed_service_is_there_until_it_is_deregistered),
        TEST(one_that_comes_back_in_time_is_kept),
        TEST(an_old_registration_stays_until_the_new_one_is_there),
        TEST(an_old_registration_in_the_way_of_the_new_one_goes),
        TEST(one_that_is_down_waits_for_no_successor),
        TEST(a_session_ends_when_nobody_uses_it_any_more),
        TEST(credentials_are_shown_once_and_by_all_sessions),
        TEST(an_operator_is_obeyed_from_the_start),
        TEST(all_leave_at_the_end),
        TEST(watchers_and_sessions_are_counted),
        TEST(what_leaves_is_looked_at_until_it_has_left),
        TEST(a_service_of_the_process_before_may_leave_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
