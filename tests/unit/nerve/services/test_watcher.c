/* test_watcher.c - tests of nerve/services/watcher.c, with the checks' results
 * given
 *
 * The loop is a real one, its passes a millisecond apart: a test waits for
 * what is to happen, never for a time.
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/register/reporter.h"
#include "nerve/services/schedule.h"
#include "nerve/services/standing.h"
#include "nerve/services/watcher.h"
#include "tests/fake/fake_check.c"
#include "tests/fake/fake_log.c"
#include "tests/fake/fake_statsd.c"

static char name[] = "web", host[] = "h", port[] = "80";
static char first[] = "a", second[] = "b";
static struct check_config checks[2];
static struct service_config service;
static uv_loop_t loop;
static struct lateness late;
static struct hearing hearing;
static struct untried untried;
static struct watcher *watcher;

/* What the reporter was told: "+" to register, "-" to deregister. */
static char wanted[40];

void reporter_want(struct reporter *r, bool registered, int64_t now_ms) {
    (void)r;
    (void)now_ms;
    strncat(wanted, registered ? "+" : "-",
            sizeof(wanted) - strlen(wanted) - 1);
}

bool reporter_is_connected(const struct reporter *r) {
    (void)r;
    return true;
}

static int open_loop(void **state) {
    (void)state;
    checks[0] = (struct check_config){.name = first, .rise = 2, .fall = 2};
    checks[1] = (struct check_config){.name = second, .rise = 1, .fall = 1};
    service = (struct service_config){.name = name,
                                      .host = host,
                                      .port = port,
                                      .check_interval_ms = 1,
                                      .checks = checks,
                                      .check_count = 2};
    /* The line of the minute was told already. */
    late = (struct lateness){.quiet_until_ms = UINT64_MAX};
    untried = (struct untried){0};
    hearing = (struct hearing){0};
    fake_ran[0] = wanted[0] = fake_counted[0] = '\0';
    fake_log_clear();
    return uv_loop_init(&loop);
}

static void start(void) {
    struct check_env env = {.loop = &loop,
                            .late = &late,
                            .untried = &untried,
                            .hearing = &hearing,
                            .statsd = (struct statsd *)&loop};

    watcher = watcher_open(&env, &service, NULL, (struct log *)&loop);
    assert_non_null(watcher);
    watcher_start(watcher, 0, 1);
}

static int close_loop(void **state) {
    (void)state;
    watcher_close(watcher);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

/* "+" passed, "-" failed, "?" not tried. */
static enum check_result result_of(char sign) {
    if (sign == '?')
        return CHECK_NOT_TRIED;
    return sign == '+' ? CHECK_PASSED : CHECK_FAILED;
}

/* Lets the loop turn until a check runs, and gives its result: "+" passed or
 * "-" failed. Several results are given one after the other. */
static void give(const char *results) {
    for (; *results; results++) {
        while (!fake_running)
            uv_run(&loop, UV_RUN_ONCE);
        fake_result(result_of(*results), "broken");
    }
}

/* Tells whether <lines> were logged, but for passes that were left out, which
 * depends on how fast the test is run. */
static bool said(const char *lines) {
    static const char left_out[] =
        "debug web: the pass before still runs, one left out\n";
    char *at;

    while ((at = strstr(fake_log_text, left_out)))
        memmove(at, at + strlen(left_out), strlen(at + strlen(left_out)) + 1);
    return fake_log_is(lines);
}

static void a_service_is_up_when_all_its_checks_are(void **state) {
    (void)state;
    start();
    give("+");
    assert_string_equal(wanted, "");
    give("+");
    assert_string_equal(wanted, "+");
    assert_string_equal(fake_ran, "ab");
    assert_true(said("debug web: check a passed\n"
                     "debug web: check b passed\n"
                     "info web: instance h:80 unknown -> up\n"));
}

static void a_pass_stops_at_the_first_check_that_is_down(void **state) {
    (void)state;
    start();
    give("--");
    assert_string_equal(fake_ran, "aa");
    assert_string_equal(wanted, "-");
    assert_true(said("debug web: check a failed: broken\n"
                     "warning web: instance h:80 unknown -> down (a: broken)\n"
                     "debug web: check a failed: broken\n"));
}

static void a_failure_below_fall_lets_the_pass_go_on(void **state) {
    (void)state;
    start();
    give("++"
         "-+");
    assert_string_equal(fake_ran, "abab");
    assert_string_equal(wanted, "+");
    fake_log_clear();
    give("-");
    assert_string_equal(wanted, "+-");
    assert_true(said("debug web: check a failed: broken\n"
                     "warning web: instance h:80 up -> down after 2 "
                     "failures (a: broken)\n"));
}

static void it_comes_back_after_rise_successes(void **state) {
    (void)state;
    start();
    give("-");
    give("+");
    assert_string_equal(wanted, "-");
    fake_log_clear();
    give("++");
    assert_string_equal(wanted, "-+");
    assert_true(said("debug web: check a passed\n"
                     "debug web: check b passed\n"
                     "info web: instance h:80 down -> up after 2 "
                     "successes\n"));
}

static void one_failure_is_told_in_the_singular(void **state) {
    (void)state;
    start();
    give("++");
    fake_log_clear();
    give("+-");
    assert_true(said("debug web: check a passed\n"
                     "debug web: check b failed: broken\n"
                     "warning web: instance h:80 up -> down after 1 "
                     "failure (b: broken)\n"));
    give("++");
    assert_true(said("debug web: check a passed\n"
                     "debug web: check b passed\n"
                     "info web: instance h:80 down -> up after 1 "
                     "success\n"));
    assert_string_equal(wanted, "+-+");
}

/* One leak of descriptors used to deregister all services of a machine. */
static void what_was_not_tried_changes_nothing(void **state) {
    (void)state;
    start();
    give("++");
    fake_log_clear();
    give("?+");
    assert_true(said("debug web: check a not tried: broken\n"
                     "warning checks: 1 not tried, the last of web (a: "
                     "broken); what is registered stays so\n"
                     "debug web: check b passed\n"));
    give("??"
         "??"
         "??");
    assert_string_equal(wanted, "+");
    assert_int_equal(watcher_state(watcher), HEALTH_UP);
    assert_int_equal(watcher_tally(watcher, 0)->not_tried, 4);
    assert_int_equal(watcher_tally(watcher, 1)->not_tried, 3);
    assert_int_equal(watcher_tally(watcher, 0)->failed, 0);
    give("?-");
    assert_string_equal(wanted, "+-");
}

static void what_was_never_tried_is_neither_up_nor_down(void **state) {
    (void)state;
    start();
    give("??");
    assert_string_equal(fake_ran, "aa");
    assert_string_equal(wanted, "");
    assert_int_equal(watcher_state(watcher), HEALTH_UNKNOWN);
    give("+?"
         "++");
    assert_string_equal(wanted, "+");
}

static void what_is_down_stays_so_until_it_is_tried(void **state) {
    (void)state;
    start();
    give("-");
    give("???");
    assert_string_equal(fake_ran, "aaaa");
    assert_string_equal(wanted, "-");
    give("+"
         "++");
    assert_string_equal(wanted, "-+");
}

static void a_service_without_checks_is_up(void **state) {
    (void)state;
    service.check_count = 0;
    start();
    assert_string_equal(wanted, "+");
    assert_true(said("info web: instance h:80 unknown -> up (it has no "
                     "checks)\n"));
}

/* The bucket of these tests fills so slowly that it never does. */
static void limit(double tokens, bool shadow_mode) {
    service.check_count = 1;
    checks[0].rise = checks[0].fall = 1;
    service.rate = (struct rate_config){.limited = true,
                                        .shadow_mode = shadow_mode,
                                        .average_rate = tokens,
                                        .max_burst = 1};
}

static void a_change_without_a_token_is_throttled(void **state) {
    (void)state;
    limit(0, false);
    start();
    give("+");
    assert_string_equal(wanted, "");
    assert_true(said("debug web: check a passed\n"
                     "warning web: rate_limiting throttles unknown -> up\n"));
    give("++");
    assert_string_equal(wanted, "");
    assert_true(said("debug web: check a passed\n"
                     "debug web: check a passed\n"));
}

/* A machine that has run for long is no reason for a full bucket. */
static void the_bucket_is_not_full_at_the_start(void **state) {
    (void)state;
    limit(0.001, false);
    start();
    give("+");
    assert_string_equal(wanted, "");
}

static void what_was_throttled_is_reported_with_the_next_token(void **state) {
    (void)state;
    limit(0, false);
    start();
    give("+-");
    assert_string_equal(wanted, "");
    service.rate.average_rate = 1e9;
    fake_log_clear();
    give("-");
    assert_string_equal(wanted, "-");
    assert_true(said("debug web: check a failed: broken\n"
                     "warning web: instance h:80 unknown -> down (a: "
                     "broken)\n"));
}

static void each_change_that_is_throttled_is_told(void **state) {
    static const char held[] = "nerve.watcher.throttled service_name=web "
                               "shadow_mode=false\n";

    (void)state;
    limit(0, false);
    start();
    give("+");
    assert_non_null(strstr(fake_counted, held));
    service.rate.average_rate = 1e9;
    give("+");
    assert_string_equal(wanted, "+");
    service.rate.average_rate = 0;
    fake_log_clear();
    give("-");
    assert_string_equal(wanted, "+");
    assert_true(said("debug web: check a failed: broken\n"
                     "warning web: rate_limiting throttles up -> down\n"));
    assert_int_equal(watcher_throttled(watcher), 2);
}

static void what_went_back_by_itself_is_no_change(void **state) {
    (void)state;
    limit(1, false);
    start();
    give("+");
    service.rate.average_rate = 0;
    give("-");
    assert_string_equal(wanted, "+");
    service.rate.average_rate = 1e9;
    fake_log_clear();
    give("+");
    assert_string_equal(wanted, "+");
    assert_true(said("debug web: check a passed\n"));
    give("-");
    assert_string_equal(wanted, "+-");
}

static void in_shadow_mode_it_is_only_told(void **state) {
    (void)state;
    limit(0, true);
    start();
    give("+-+");
    assert_string_equal(wanted, "+-+");
    assert_non_null(strstr(fake_log_text,
                           "info web: rate_limiting would throttle up -> "
                           "down, but for shadow_mode\n"
                           "warning web: instance h:80 up -> down after 1 "
                           "failure (a: broken)\n"));
}

static void an_ipv6_address_is_told_in_brackets(void **state) {
    char ipv6[] = "::1";

    (void)state;
    service.check_count = 0;
    service.host = ipv6;
    start();
    assert_true(said("info web: instance [::1]:80 unknown -> up (it has no "
                     "checks)\n"));
    assert_ptr_equal(fake_logged_by, (struct log *)&loop);
}

static void the_results_of_each_check_are_counted(void **state) {
    uint64_t began = uv_hrtime();

    (void)state;
    start();
    give("++-+++");
    assert_int_equal(watcher_state(watcher), HEALTH_UP);
    assert_int_equal(watcher_tally(watcher, 0)->passed, 2);
    assert_int_equal(watcher_tally(watcher, 0)->failed, 1);
    assert_int_equal(histogram_count(&watcher_tally(watcher, 0)->took), 3);
    assert_in_range(watcher_tally(watcher, 0)->took.sum_us, 0,
                    (uv_hrtime() - began) / 1000);
    assert_int_equal(watcher_tally(watcher, 1)->passed, 3);
    assert_int_equal(watcher_tally(watcher, 1)->failed, 0);
}

static void a_pass_that_is_due_while_another_runs_is_left_out(void **state) {
    (void)state;
    start();
    while (!strstr(fake_log_text, "left out"))
        uv_run(&loop, UV_RUN_ONCE);
    assert_string_equal(fake_ran, "a");
    give("++");
    assert_string_equal(fake_ran, "ab");
    assert_string_equal(wanted, "+");
}

static void late_passes_of_all_services_are_one_line(void **state) {
    uint64_t later;

    (void)state;
    late.quiet_until_ms = 0;
    start();
    later = uv_hrtime() + 60 * 1000000;
    while (uv_hrtime() < later)
        ;
    while (!fake_running)
        uv_run(&loop, UV_RUN_ONCE);
    assert_non_null(
        strstr(fake_log_text, "warning checks: 1 started late, by "));
    assert_non_null(strstr(fake_log_text, " ms at most\n"));
    assert_null(strstr(fake_log_text, "0 left out"));
    fake_log_clear();
    while (late.passes.left_out < 3)
        uv_run(&loop, UV_RUN_ONCE);
    assert_null(strstr(fake_log_text, "warning"));
}

/* However late they were themselves, which depends on the machine. */
static void passes_that_were_left_out_are_one_line(void **state) {
    (void)state;
    start();
    while (!late.left_out)
        uv_run(&loop, UV_RUN_ONCE);
    late.passes = (struct late_passes){.left_out = 3};
    late.quiet_until_ms = 0;
    while (!late.quiet_until_ms)
        uv_run(&loop, UV_RUN_ONCE);
    assert_non_null(strstr(fake_log_text,
                           "4 left out, for the run before had not ended\n"));
}

static void passes_of_both_kinds_are_one_line_too(void **state) {
    (void)state;
    start();
    while (!late.left_out)
        uv_run(&loop, UV_RUN_ONCE);
    late.passes =
        (struct late_passes){.late = 2, .worst_ms = 1000000000, .left_out = 3};
    late.quiet_until_ms = 0;
    while (!late.quiet_until_ms)
        uv_run(&loop, UV_RUN_ONCE);
    assert_non_null(strstr(fake_log_text, " started late, by 1000000000 ms at "
                                          "most; 4 left out, for the run "
                                          "before had not ended\n"));
}

static void what_happens_is_counted(void **state) {
    (void)state;
    start();
    give("+-");
    assert_ptr_equal(fake_counted_by, (struct statsd *)&loop);
    assert_counted("nerve.watcher.status.ping.count ping_result=success "
                   "service_name=web nerve_version=" VERSION "\n"
                   "nerve.watcher.status.service_check check_result=up "
                   "service_name=web check_name=a\n"
                   "nerve.watcher.status.service_check check_result=down "
                   "service_name=web check_name=b\n"
                   "nerve.watcher.status.transition new_status=down "
                   "service_name=web\n");
}

static void a_watcher_is_closed_while_a_check_runs(void **state) {
    (void)state;
    start();
    while (!fake_running)
        uv_run(&loop, UV_RUN_ONCE);
}

/* Goes on in another process, as if this one had ended. */
static void hand_over(void) {
    struct check_env env = {
        .loop = &loop, .late = &late, .untried = &untried, .hearing = &hearing};
    struct watcher *before = watcher;
    struct standing standing;

    watcher_save(before, &standing);
    watcher = watcher_open(&env, &service, NULL, NULL);
    watcher_restore(watcher, &standing);
    watcher_close(before);
    watcher_start(watcher, 0, 1);
    fake_log_clear();
}

static void failures_in_a_row_are_counted_over_processes(void **state) {
    (void)state;
    start();
    give("++"
         "-+");
    hand_over();
    assert_string_equal(wanted, "+");
    give("-");
    assert_string_equal(wanted, "+-");
    assert_true(said("debug web: check a failed: broken\n"
                     "warning web: instance h:80 up -> down after 2 "
                     "failures (a: broken)\n"));
}

static void a_service_without_checks_is_not_told_up_again(void **state) {
    (void)state;
    service.check_count = 0;
    start();
    hand_over();
    assert_string_equal(wanted, "+");
    assert_true(said(""));
}

static void where_other_checks_stood_does_not_matter(void **state) {
    struct health one = {.state = HEALTH_UP};
    struct standing other = {.state = HEALTH_UP, .health = &one, .count = 1};
    struct check_env env = {
        .loop = &loop, .late = &late, .untried = &untried, .hearing = &hearing};

    (void)state;
    watcher = watcher_open(&env, &service, NULL, NULL);
    watcher_restore(watcher, &other);
    watcher_start(watcher, 0, 1);
    give("-");
    assert_string_equal(wanted, "-");
}

static void a_pass_that_is_paused_has_no_result(void **state) {
    (void)state;
    start();
    give("+");
    while (!fake_running)
        uv_run(&loop, UV_RUN_ONCE);
    watcher_pause(watcher);
    assert_null(fake_running);
    uv_run(&loop, UV_RUN_DEFAULT); /* there is nothing to wait for */
    assert_string_equal(wanted, "");
    watcher_resume(watcher);
    give("++");
    assert_string_equal(fake_ran, "abab");
    assert_string_equal(wanted, "+");
}

/* A service with one push check; the fake judges it by what was given. */
static void start_push(unsigned int interval_ms) {
    checks[0].kind = CHECK_PUSH;
    checks[0].ttl_ms = 60000;
    checks[0].rise = checks[0].fall = 1;
    service.check_count = 1;
    service.check_interval_ms = interval_ms;
    start();
}

static void what_a_service_says_starts_a_pass_at_once(void **state) {
    (void)state;
    start_push(3600000);
    give("-");
    assert_string_equal(wanted, "-");
    watcher_hear(watcher, PUSH_PASS, NULL);
    assert_int_equal(fake_report->word, PUSH_PASS);
    assert_non_null(fake_running);
    fake_result(CHECK_PASSED, NULL);
    assert_string_equal(wanted, "-+");
    assert_int_equal(watcher_reports(watcher, PUSH_PASS), 1);
    assert_int_equal(watcher_reports(watcher, PUSH_FAIL), 0);
}

/* A service that says pass and fail in turns would have nerve run its other
 * checks, which may be programs, as often. */
static void only_one_pass_is_started_between_two_that_are_due(void **state) {
    (void)state;
    start_push(3600000);
    give("-");
    watcher_hear(watcher, PUSH_PASS, NULL);
    fake_result(CHECK_PASSED, NULL);
    watcher_hear(watcher, PUSH_FAIL, "disk full");
    assert_null(fake_running);
    assert_string_equal(fake_report->reason, "disk full");
    watcher_hear(watcher, PUSH_PASS, NULL);
    assert_null(fake_running);
}

static void what_is_no_news_starts_no_pass(void **state) {
    (void)state;
    start_push(3600000);
    watcher_hear(watcher, PUSH_FAIL, NULL);
    assert_null(fake_running);
    give("-");
    watcher_hear(watcher, PUSH_FAIL, NULL);
    assert_null(fake_running);
}

/* While a pass runs, and while none may be started. */
static void news_waits_for_the_pass_that_is_due(void **state) {
    (void)state;
    start_push(1);
    while (!fake_running)
        uv_run(&loop, UV_RUN_ONCE);
    watcher_hear(watcher, PUSH_PASS, NULL);
    give("-+");
    assert_string_equal(wanted, "-+");
    watcher_pause(watcher);
    watcher_hear(watcher, PUSH_FAIL, NULL);
    assert_null(fake_running);
    watcher_resume(watcher);
    give("-");
    assert_string_equal(wanted, "-+-");
}

static void what_was_said_is_known_in_another_process(void **state) {
    struct standing standing;

    (void)state;
    start_push(1);
    watcher_hear(watcher, PUSH_FAIL, "disk full");
    watcher_save(watcher, &standing);
    standing.silence_ms += 1000;
    hand_over();
    assert_int_equal(watcher_heard(watcher)->word, PUSH_FAIL);
    assert_string_equal(watcher_heard(watcher)->reason, "disk full");
    watcher_hear_again(watcher, &standing);
    assert_true(watcher_silence(watcher) >= 1000);
    /* Also where it is checked in another way. */
    standing.count = 7;
    standing.report.word = PUSH_PASS;
    watcher_restore(watcher, &standing);
    assert_int_equal(watcher_heard(watcher)->word, PUSH_PASS);
}

/* Time in which nerve was stopped used up the service's ttl. */
static void time_in_which_nerve_was_stopped_is_no_silence(void **state) {
    struct standing standing;

    (void)state;
    start_push(3600000);
    give("-");
    watcher_hear(watcher, PUSH_PASS, NULL);
    /* As if the loop had turned last 5 s ago. */
    hearing.turned_ms -= 5000;
    assert_in_range(watcher_silence(watcher), 0, 3000);
    watcher_save(watcher, &standing);
    assert_in_range(standing.silence_ms, 0, 3000);
    standing.silence_ms = 4000;
    watcher_hear_again(watcher, &standing);
    assert_in_range(watcher_silence(watcher), 4000, 7000);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_service_is_up_when_all_its_checks_are),
        TEST(a_pass_stops_at_the_first_check_that_is_down),
        TEST(a_failure_below_fall_lets_the_pass_go_on),
        TEST(it_comes_back_after_rise_successes),
        TEST(one_failure_is_told_in_the_singular),
        TEST(what_was_not_tried_changes_nothing),
        TEST(what_was_never_tried_is_neither_up_nor_down),
        TEST(what_is_down_stays_so_until_it_is_tried),
        TEST(a_service_without_checks_is_up),
        TEST(a_change_without_a_token_is_throttled),
        TEST(the_bucket_is_not_full_at_the_start),
        TEST(what_was_throttled_is_reported_with_the_next_token),
        TEST(each_change_that_is_throttled_is_told),
        TEST(what_went_back_by_itself_is_no_change),
        TEST(in_shadow_mode_it_is_only_told),
        TEST(an_ipv6_address_is_told_in_brackets),
        TEST(the_results_of_each_check_are_counted),
        TEST(a_pass_that_is_due_while_another_runs_is_left_out),
        TEST(late_passes_of_all_services_are_one_line),
        TEST(passes_that_were_left_out_are_one_line),
        TEST(passes_of_both_kinds_are_one_line_too),
        TEST(what_happens_is_counted),
        TEST(a_watcher_is_closed_while_a_check_runs),
        TEST(failures_in_a_row_are_counted_over_processes),
        TEST(a_service_without_checks_is_not_told_up_again),
        TEST(where_other_checks_stood_does_not_matter),
        TEST(a_pass_that_is_paused_has_no_result),
        TEST(what_a_service_says_starts_a_pass_at_once),
        TEST(only_one_pass_is_started_between_two_that_are_due),
        TEST(what_is_no_news_starts_no_pass),
        TEST(news_waits_for_the_pass_that_is_due),
        TEST(what_was_said_is_known_in_another_process),
        TEST(time_in_which_nerve_was_stopped_is_no_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
