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

/* Returns the configuration with the services <members>. */
static struct config *config_of(const char *members) {
    struct error err = {0};
    struct config *config;
    char text[2000];

    snprintf(text, sizeof(text), "{\"instance_id\": \"i\", \"services\": {%s}}",
             members);
    config = config_parse(text, strlen(text), NULL, NULL, &err);
    assert_string_equal(err.text, "");
    assert_non_null(config);
    return config;
}

static void apply_as(const char *members, const char *auth) {
    struct config *config = config_of(members);

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

/* The check of the service <index> has this result, and no other one has. */
static void end_check(size_t index, enum check_result result) {
    const struct service *s = services_at(services, index);

    while (!fake_running || fake_running->config != &s->config->checks[0]) {
        fake_running = NULL;
        uv_run(&loop, UV_RUN_ONCE);
    }
    fake_result(result, "broken");
}

static void pass_check(size_t index) { end_check(index, CHECK_PASSED); }

static void fail_check(size_t index) { end_check(index, CHECK_FAILED); }

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
                        .weight = 3,
                        .drain_ms = 5000,
                        .since_ms = 1};

    (void)state;
    assert_int_equal(holds_put(&holds, &hold), 0);
    apply(WEB ", " API);
    assert_story("open zk1:2181\nhold web\n");
    assert_true(reporter_of(0)->order.out);
    assert_int_equal(reporter_of(0)->order.weight, 3);
    assert_int_equal(reporter_of(0)->order.drain_ms, 5000);
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
    assert_true(uv_is_active((uv_handle_t *)&services->settle));
    settle();
    assert_true(uv_is_active((uv_handle_t *)&services->settle));
    reporter_of(0)->registered = false;
    while (uv_is_active((uv_handle_t *)&services->settle))
        uv_run(&loop, UV_RUN_ONCE);
    assert_null(services_at(services, 1));
}

/* Down after two failures in a row. */
#define PATIENT(PATH)                                                          \
    "\"web\": {\"host\": \"127.0.0.1\", \"port\": 80, \"zk_path\": \"" PATH    \
    "\", \"zk_hosts\": [\"zk1:2181\"], \"check_interval\": 0.01, \"checks\": " \
    "[{\"type\": \"noop\", \"fall\": 2}]}"

/* Returns the first service of <members> as the process before hands it over:
 * up, with its checks only as they are written, which are <checking> (NULL: as
 * configured). */
static struct saved_service saved_of(const char *members,
                                     const char *checking) {
    struct config *config = config_of(members);
    struct service_config *bare = calloc(1, sizeof(*bare));
    struct saved_service saved = {.config = bare,
                                  .told = true,
                                  .standing = {.state = HEALTH_UP, .count = 1}};

    service_config_swap_registration(bare, &config->services[0]);
    bare->checking = strdup(checking ? checking : config->services[0].checking);
    config_free(config);
    saved.standing.health = calloc(1, sizeof(struct health));
    saved.standing.health->state = HEALTH_UP;
    return saved;
}

/* Continues <saved>, as an upgrade does. */
static struct service *go_on_with(struct saved_service saved) {
    struct ensemble *e = services_ensemble_of(services, saved.config);
    const struct hold *hold = holds_find(&holds, saved.config->name);
    struct service *s = service_restore(&saved, e, hold, NULL);

    assert_non_null(s);
    assert_null(saved.config);
    assert_null(saved.standing.health);
    services->services = calloc(1, sizeof(struct service *));
    services->services[services->count++] = s;
    return s;
}

static void an_upgrade_changes_nothing_of_a_service(void **state) {
    const struct service *web;

    (void)state;
    web = go_on_with(saved_of(PATIENT("/web"), NULL));
    assert_story("open zk1:2181\ngo on, told /web\n");
    assert_false(service_is_leaving(web));
    apply(PATIENT("/web"));
    assert_ptr_equal(services_at(services, 0), web);
    assert_null(services_at(services, 1));
    assert_true(service_is_current(web));
    assert_true(fake_log_is(""));
    assert_story("same data web\n");
    /* It was up, so one failure is not enough. */
    fail_check(0);
    assert_story("");
    fail_check(0);
    assert_story("drop /web\n");
}

/* What it waits for may take long, or never come. */
static void
a_service_is_checked_after_an_upgrade_until_it_is_replaced(void **state) {
    struct reporter *r;

    (void)state;
    r = go_on_with(saved_of(PATIENT("/web"), NULL))->reporter;
    r->registered = r->wanted = true;
    apply("\"web\": {\"host\": \"127.0.0.1\", \"port\": 80, \"zk_path\": "
          "\"/site\", \"zk_hosts\": [\"zk1:2181\"], \"checks\": []}");
    assert_true(fake_log_is(
        "info web: registering it again; stays registered "
        "as before until then\ninfo web: added\n"
        "info web: instance 127.0.0.1:80 unknown -> up (it has no checks)\n"));
    story[0] = '\0';
    fail_check(0);
    assert_story("");
    fail_check(0);
    assert_story("drop /web\n");
}

/* The new binary may be an older one, which does not know a type. */
static void a_check_that_the_new_process_does_not_know_is_told(void **state) {
    struct reporter *r;

    (void)state;
    r = go_on_with(saved_of(WEB, "{\"checks\": [{\"type\": \"new\"}]}"))
            ->reporter;
    r->registered = r->wanted = true;
    apply(SERVICE("web", "/site", "zk1:2181", ""));
    assert_non_null(strstr(fake_log_text, "warning web: not checked any more: "
                                          "web.checks[0].type: \"new\" "));
    settle();
    assert_false(service_is_leaving(services_at(services, 0)));
    reporter_of(1)->registered = true;
    r->registered = false;
    settle();
    assert_string_equal(services_at(services, 0)->config->zk_path, "/site");
    assert_null(services_at(services, 1));
}

static void what_has_left_before_an_upgrade_leaves_after_it(void **state) {
    struct saved_service saved = saved_of(WEB, NULL);
    struct reporter *r;

    (void)state;
    saved.leaving = true;
    r = go_on_with(saved)->reporter;
    r->registered = true;
    assert_true(service_is_leaving(services_at(services, 0)));
    apply(API);
    assert_true(fake_log_is("info api: added\n"));
    r->registered = false;
    settle();
    assert_string_equal(services_at(services, 0)->config->name, "api");
    assert_null(services_at(services, 1));
}

static void an_operator_is_obeyed_after_an_upgrade(void **state) {
    struct hold hold = {.service = strdup("web"),
                        .author = strdup("a"),
                        .out = true,
                        .since_ms = 1};

    (void)state;
    assert_int_equal(holds_put(&holds, &hold), 0);
    go_on_with(saved_of(WEB, NULL));
    assert_story("open zk1:2181\nhold web\ngo on, told /web\n");
}

static void a_service_of_the_process_before_may_leave_too(void **state) {
    (void)state;
    go_on_with(saved_of(WEB, NULL));
    story[0] = '\0';
    apply("");
    assert_true(fake_log_is("info web: no longer configured\n"));
    assert_true(service_is_leaving(services_at(services, 0)));
    settle();
    assert_null(services_at(services, 0));
    assert_story("drop /web\nclose zk1:2181\n");
}

/* It is up, and its registration is being made: it may be there before that of
 * its successor. Or it is down, and its registration is still there. */
static void one_that_may_be_needed_waits_for_its_successor(void **state) {
    const struct service *web;

    (void)state;
    apply(WEB);
    web = services_at(services, 0);
    reporter_of(0)->wanted = true;
    apply(SERVICE("web", "/site", "zk1:2181", ""));
    settle();
    assert_ptr_equal(services_at(services, 0), web);
    assert_false(service_is_leaving(web));
    reporter_of(0)->wanted = false;
    reporter_of(0)->registered = true;
    settle();
    assert_ptr_equal(services_at(services, 0), web);
    assert_false(service_is_leaving(web));
    assert_true(uv_is_active((uv_handle_t *)&services->settle));
}

static void its_trouble_is_that_of_its_session_or_its_own(void **state) {
    const struct service *web;

    (void)state;
    apply(WEB);
    web = services_at(services, 0);
    reporter_of(0)->blocked = true;
    assert_null(service_trouble(web));
    reporter_of(0)->unsettled = true;
    assert_string_equal(service_trouble(web), "a znode is in the way");
    reporter_of(0)->away = true;
    assert_string_equal(service_trouble(web), "no server answers");
}

/* Time in which nerve is stopped is no silence of a service; so it must know
 * that its loop turns. */
static void its_loop_that_turns_is_noticed(void **state) {
    (void)state;
    uv_timer_set_repeat(&services->pulse, 1);
    uv_timer_again(&services->pulse);
    while (!services->hearing.turned_ms)
        uv_run(&loop, UV_RUN_ONCE);
}

/* Its sessions end together, after all that is registered is gone. */
static void what_leaves_at_the_end_is_shown_until_then(void **state) {
    struct event overflow = {.type = EVENT_OVERFLOW};

    (void)state;
    apply(WEB ", " SERVICE("api", "/api", "zk2:2181", ""));
    services_leave(services);
    story[0] = '\0';
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_story("");
    assert_non_null(services_at(services, 1));
    services_close(services);
    assert_story("close zk1:2181\nclose zk2:2181\n");
    assert_true(services_has_left(services));
    services_absorb(services, &overflow);
    assert_story("");
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
        TEST(an_upgrade_changes_nothing_of_a_service),
        TEST(a_service_is_checked_after_an_upgrade_until_it_is_replaced),
        TEST(a_check_that_the_new_process_does_not_know_is_told),
        TEST(what_has_left_before_an_upgrade_leaves_after_it),
        TEST(an_operator_is_obeyed_after_an_upgrade),
        TEST(a_service_of_the_process_before_may_leave_too),
        TEST(one_that_may_be_needed_waits_for_its_successor),
        TEST(its_trouble_is_that_of_its_session_or_its_own),
        TEST(its_loop_that_turns_is_noticed),
        TEST(what_leaves_at_the_end_is_shown_until_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
