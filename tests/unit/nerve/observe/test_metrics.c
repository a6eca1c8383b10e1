/* test_metrics.c - tests of nerve/observe/metrics.c, with all that it shows
 * given
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/config/model.h"
#include "nerve/measure/statsd.h"
#include "nerve/observe/http_server.h"
#include "nerve/observe/metrics.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"
#include "nerve/services/schedule.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"
#include "tests/fake/fake_log.c"

/* What is known of a service, and of an ensemble. */
struct watcher {
    enum health_state state;
    struct check_tally tallies[2];
};

struct reporter {
    bool connected, registered, settled, held;
};

struct ensemble {
    const char *hosts;
    bool connected;
    struct ensemble_counts counts;
};

static struct check_config checks[] = {
    {.name = "port 80", .kind = CHECK_TCP},
    {.name = "port 80", .kind = CHECK_PUSH},
};
static char web_name[] = "web", api_name[] = "a\npi";
static struct service_config web_config = {
    .name = web_name, .checks = checks, .check_count = 2};
static struct service_config api_config = {.name = api_name};
static struct watcher web_watcher, api_watcher;
static struct reporter web_reporter, api_reporter;
static struct service web = {
    .config = &web_config, .watcher = &web_watcher, .reporter = &web_reporter};
static struct service api = {
    .config = &api_config, .watcher = &api_watcher, .reporter = &api_reporter};
static struct ensemble ensembles[3];
static bool api_is_current;
static const char *cause;

const struct service *services_at(const struct services *r, size_t index) {
    (void)r;
    if (index == 0)
        return &web;
    return index == 1 ? &api : NULL;
}

const struct ensemble *services_ensemble(const struct services *r,
                                         size_t index) {
    (void)r;
    return index < 3 ? &ensembles[index] : NULL;
}

bool service_is_current(const struct service *s) {
    return s == &web || api_is_current;
}

const char *service_trouble(const struct service *s) {
    (void)s;
    return cause;
}

enum health_state watcher_state(const struct watcher *w) { return w->state; }

const struct check_tally *watcher_tally(const struct watcher *w, size_t index) {
    return &w->tallies[index];
}

uint64_t watcher_throttled(const struct watcher *w) {
    return w == &web_watcher ? 5 : 0;
}

uint64_t watcher_reports(const struct watcher *w, enum push_word word) {
    (void)w;
    return word == PUSH_PASS ? 6 : 7;
}

bool reporter_is_connected(const struct reporter *r) { return r->connected; }
bool reporter_is_registered(const struct reporter *r) { return r->registered; }
bool reporter_is_settled(const struct reporter *r) { return r->settled; }
bool reporter_is_held(const struct reporter *r) { return r->held; }
const char *ensemble_hosts(const struct ensemble *e) { return e->hosts; }
bool ensemble_is_connected(const struct ensemble *e) { return e->connected; }

const struct ensemble_counts *ensemble_counts(const struct ensemble *e) {
    return &e->counts;
}

/* What was told to statsd, and where that is. */
static char told[400];

static void tell(const char *text) {
    strncat(told, text, sizeof(told) - strlen(told) - 1);
}

struct statsd *statsd_new(uv_loop_t *loop, const struct statsd_names *names) {
    (void)loop;
    (void)names;
    return (struct statsd *)told;
}

int statsd_use(struct statsd *s, const char *host, int port) {
    char text[60];

    (void)s;
    snprintf(text, sizeof(text), "statsd %s:%d\n", host ? host : "-", port);
    tell(text);
    return host && port == 0 ? -1 : 0;
}

void statsd_count(struct statsd *s, const char *name, ...) {
    (void)s;
    tell(name);
    tell("\n");
}

uint64_t statsd_lost(const struct statsd *s) {
    (void)s;
    return 8;
}

void statsd_close(struct statsd *s) {
    assert_ptr_equal(s, told);
    tell("end\n");
}

static web_page_fn *page_fn;
static void *page_arg;

struct web *web_new(uv_loop_t *loop, struct log *log, web_page_fn *page,
                    void *arg) {
    (void)loop;
    (void)log;
    page_fn = page;
    page_arg = arg;
    return (struct web *)told;
}

void web_use(struct web *w, const char *host, int port) {
    char text[60];

    (void)w;
    snprintf(text, sizeof(text), "pages %s:%d\n", host ? host : "-", port);
    tell(text);
}

void web_close(struct web *w) {
    assert_ptr_equal(w, told);
    tell("no pages\n");
}

static uv_loop_t loop;
static struct lateness late;
static struct metrics *metrics;

static int begin(void **state) {
    static const struct config config;

    (void)state;
    told[0] = '\0';
    fake_log_clear();
    web_watcher = api_watcher = (struct watcher){.state = HEALTH_UP};
    web_reporter = api_reporter = (struct reporter){
        .connected = true, .registered = true, .settled = true};
    memset(ensembles, 0, sizeof(ensembles));
    ensembles[0].hosts = ensembles[2].hosts = "zk1:2181";
    ensembles[1].hosts = "zk2:2181";
    api_is_current = true;
    cause = NULL;
    late = (struct lateness){.left_out = 9};
    if (uv_loop_init(&loop) != 0)
        return -1;
    metrics = metrics_new(&loop, NULL, &late);
    if (metrics)
        metrics_start(metrics, NULL, &config);
    return metrics ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    metrics_close(metrics);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

/* Returns the page <path>, borrowed until the next one. */
static const char *page(const char *path, unsigned int status) {
    static char text[65536];
    struct web_page page = page_fn(page_arg, path);

    assert_int_equal(page.status, status);
    assert_non_null(strstr(page.type, "text/plain; "));
    snprintf(text, sizeof(text), "\n%s", page.body);
    free(page.body);
    return text;
}

static void assert_line(const char *text, const char *line) {
    const char *at = strstr(text, line);

    if (!at || at[-1] != '\n' || at[strlen(line)] != '\n')
        fail_msg("no line %s in:%s", line, text);
}

static void what_is_as_the_checks_found_it_is_in_order(void **state) {
    (void)state;
    assert_null(health_trouble(HEALTH_UP, true, true, true));
    assert_null(health_trouble(HEALTH_DOWN, true, false, true));
}

static void each_trouble_has_its_words(void **state) {
    static const struct {
        enum health_state state;
        bool connected, registered, settled;
        const char *words;
    } cases[] = {
        {HEALTH_UNKNOWN, true, false, false, "not checked yet"},
        {HEALTH_UP, false, true, true, "out of reach"},
        {HEALTH_DOWN, false, false, true, "out of reach"},
        {HEALTH_UP, true, false, false, "up, but not registered"},
        {HEALTH_UP, true, true, false, "being changed"},
        {HEALTH_DOWN, true, true, false, "down, but still registered"},
        {HEALTH_DOWN, true, false, false, "not known"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *trouble =
            health_trouble(cases[i].state, cases[i].connected,
                           cases[i].registered, cases[i].settled);

        assert_non_null(trouble);
        assert_non_null(strstr(trouble, cases[i].words));
    }
}

static void the_metrics_of_a_service_are_its_own(void **state) {
    const char *text;

    (void)state;
    web_watcher.tallies[0] =
        (struct check_tally){.passed = 1, .failed = 2, .not_tried = 3};
    histogram_add(&web_watcher.tallies[1].took, 1500);
    web_reporter.held = true;
    api_watcher.state = HEALTH_DOWN;
    api_reporter.registered = false;
    text = page("/metrics", 200);
    assert_line(text, "nerve_service_up{service=\"web\"} 1");
    assert_line(text, "nerve_service_up{service=\"a\\npi\"} 0");
    assert_line(text, "nerve_service_registered{service=\"web\"} 1");
    assert_line(text, "nerve_service_registered{service=\"a\\npi\"} 0");
    assert_line(text, "nerve_service_held{service=\"web\"} 1");
    assert_line(text, "nerve_service_held{service=\"a\\npi\"} 0");
    assert_line(text, "nerve_service_throttled_total{service=\"web\"} 5");
#define CHECK(INDEX, MORE)                                                     \
    "{service=\"web\",index=\"" INDEX "\",check=\"port 80\"" MORE "} "
    assert_line(text,
                "nerve_checks_total" CHECK("0", ",result=\"passed\"") "1");
    assert_line(text,
                "nerve_checks_total" CHECK("0", ",result=\"failed\"") "2");
    assert_line(text,
                "nerve_checks_total" CHECK("0", ",result=\"not_tried\"") "3");
    assert_line(text,
                "nerve_checks_total" CHECK("1", ",result=\"passed\"") "0");
    assert_line(text, "nerve_check_duration_seconds_count" CHECK("0", "") "0");
    assert_line(text, "nerve_check_duration_seconds_count" CHECK("1", "") "1");
    /* Only one of them has a push check. */
    assert_line(text, "nerve_push_reports_total{service=\"web\","
                      "result=\"passed\"} 6");
    assert_line(text, "nerve_push_reports_total{service=\"web\","
                      "result=\"failed\"} 7");
    assert_null(strstr(text, "nerve_push_reports_total{service=\"a"));
}

/* While a service moves to another registration it runs twice. */
static void a_service_that_leaves_has_no_metrics(void **state) {
    (void)state;
    api_is_current = false;
    assert_null(strstr(page("/metrics", 200), "npi"));
}

/* Two families of a name, or two samples of the same labels, would end the
 * whole scrape. */
static void an_ensemble_is_shown_once(void **state) {
    const char *text, *first;

    (void)state;
    ensembles[0].counts.sessions = 1;
    ensembles[2].counts.sessions = 2;
    ensembles[2].counts.expired = 3;
    ensembles[1].connected = true;
    ensembles[1].counts.writes.failures[WRITE_SET] = 4;
    histogram_add(&ensembles[1].counts.writes.took[WRITE_DELETE], 10);
    text = page("/metrics", 200);
    assert_line(text, "nerve_zk_sessions_total{ensemble=\"zk1:2181\"} 2");
    first = strstr(text, "nerve_zk_sessions_total{ensemble=\"zk1:2181\"}");
    assert_null(
        strstr(first + 1, "nerve_zk_sessions_total{ensemble=\"zk1:2181\"}"));
    assert_line(text, "nerve_zk_sessions_expired_total{ensemble=\"zk1:2181\"} "
                      "3");
    assert_line(text, "nerve_zk_connected{ensemble=\"zk1:2181\"} 0");
    assert_line(text, "nerve_zk_connected{ensemble=\"zk2:2181\"} 1");
    assert_line(text, "nerve_zk_write_failures_total{ensemble=\"zk2:2181\","
                      "operation=\"set\"} 4");
    assert_line(text, "nerve_zk_write_failures_total{ensemble=\"zk2:2181\","
                      "operation=\"create\"} 0");
    assert_line(text, "nerve_zk_write_duration_seconds_count{ensemble="
                      "\"zk2:2181\",operation=\"delete\"} 1");
}

static void each_family_says_once_what_it_is(void **state) {
    const char *text = page("/metrics", 200);
    char name[100], again[120];
    size_t count = 0;

    (void)state;
    for (const char *at = text; (at = strstr(at, "\n# TYPE ")); at++) {
        assert_int_equal(sscanf(at, "\n# TYPE %99s", name), 1);
        snprintf(again, sizeof(again), "\n# TYPE %s ", name);
        assert_null(strstr(at + 1, again));
        snprintf(again, sizeof(again), "\n# HELP %s ", name);
        assert_non_null(strstr(text, again));
        count++;
    }
    assert_in_range(count, 15, 30);
}

/* Returns the length of the family's name in a sample's <line>. */
static int family_length(const char *line) {
    static const char *const ends[] = {"_bucket", "_sum", "_count"};
    size_t length = strcspn(line, "{ ");

    for (size_t i = 0; i < 3; i++) {
        size_t end = strlen(ends[i]);

        if (length > end && memcmp(line + length - end, ends[i], end) == 0)
            return (int)(length - end);
    }
    return (int)length;
}

static void each_sample_belongs_to_a_family(void **state) {
    static char text[65536];
    char family[120], *rest = text;

    (void)state;
    strcpy(text, page("/metrics", 200));
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (line[0] == '#' || line[0] == '\0')
            continue;
        snprintf(family, sizeof(family), "\n# TYPE %.*s ", family_length(line),
                 line);
        if (!strstr(page("/metrics", 200), family))
            fail_msg("no family of %s", line);
    }
}

static void the_process_is_shown_too(void **state) {
    static const struct config config;
    const char *text;

    (void)state;
    metrics_reload(metrics, &config);
    metrics_reload(metrics, NULL);
    metrics_reload(metrics, NULL);
    histogram_add(&late.starts, 3000000);
    text = page("/metrics", 200);
    assert_line(text, "nerve_build_info{version=\"" VERSION "\"} 1");
    assert_line(text, "nerve_config_reloads_total{result=\"done\"} 1");
    assert_line(text, "nerve_config_reloads_total{result=\"refused\"} 2");
    assert_line(text, "nerve_check_late_seconds_bucket{le=\"1\"} 0");
    assert_line(text, "nerve_check_late_seconds_bucket{le=\"5\"} 1");
    assert_line(text, "nerve_checks_left_out_total 9");
    assert_line(text, "nerve_loop_lag_seconds_count 0");
    assert_line(text, "nerve_statsd_lost_total 8");
}

static void the_health_names_each_service_that_is_not_in_order(void **state) {
    (void)state;
    assert_string_equal(page("/health", 200), "\nok, 2 services\n");
    api_is_current = false;
    assert_string_equal(page("/health", 200), "\nok, 1 service\n");
    /* It is on its way out, whatever its state. */
    api_reporter.connected = false;
    assert_string_equal(page("/health", 200), "\nok, 1 service\n");
    api_is_current = true;
    assert_string_equal(page("/health", 503),
                        "\na?pi: ZooKeeper is out of reach\n");
    cause = "zk1: unknown";
    web_reporter.settled = false;
    assert_string_equal(
        page("/health", 503),
        "\nweb: the registration is being changed (zk1: unknown)\n"
        "a?pi: ZooKeeper is out of reach (zk1: unknown)\n");
}

static void other_pages_say_which_there_are(void **state) {
    (void)state;
    assert_string_equal(page("/", 200), "\n/metrics\n/health\n");
    assert_string_equal(page("/nothing", 404),
                        "\nthere are:\n/metrics\n/health\n");
}

static void a_configuration_says_where(void **state) {
    char host[] = "10.0.0.1";
    const struct config config = {.statsd = {.host = host, .port = 8125},
                                  .metrics = {.host = host, .port = 9292}};
    const struct config wrong = {.statsd = {.host = host}};

    (void)state;
    assert_string_equal(told, "statsd -:0\npages -:0\nnerve.start\n");
    told[0] = '\0';
    metrics_reload(metrics, &config);
    assert_string_equal(told, "statsd 10.0.0.1:8125\npages 10.0.0.1:9292\n"
                              "nerve.config.update\n");
    assert_string_equal(fake_log_text, "");
    told[0] = '\0';
    metrics_reload(metrics, NULL);
    assert_string_equal(told, "");
    metrics_reload(metrics, &wrong);
    assert_true(fake_log_is("error statsd: nothing is sent: out of memory\n"));
    assert_ptr_equal(metrics_statsd(metrics), told);
}

static void at_the_end_all_is_closed(void **state) {
    (void)state;
    metrics_close(NULL);
    told[0] = '\0';
    metrics_close(metrics);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_string_equal(told, "nerve.stop\nend\nno pages\n");
    metrics = metrics_new(&loop, NULL, &late);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_as_the_checks_found_it_is_in_order),
        cmocka_unit_test(each_trouble_has_its_words),
        TEST(the_metrics_of_a_service_are_its_own),
        TEST(a_service_that_leaves_has_no_metrics),
        TEST(an_ensemble_is_shown_once),
        TEST(each_family_says_once_what_it_is),
        TEST(each_sample_belongs_to_a_family),
        TEST(the_process_is_shown_too),
        TEST(the_health_names_each_service_that_is_not_in_order),
        TEST(other_pages_say_which_there_are),
        TEST(a_configuration_says_where),
        TEST(at_the_end_all_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
