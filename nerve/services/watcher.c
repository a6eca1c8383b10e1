/* watcher.c - runs the checks of one service and folds them into up or down
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/text.h"
#include "nerve/checks/check.h"
#include "nerve/checks/push.h"
#include "nerve/config/model.h"
#include "nerve/log.h"
#include "nerve/measure/statsd.h"
#include "nerve/register/reporter.h"
#include "nerve/services/health.h"
#include "nerve/services/rate_limit.h"
#include "nerve/services/schedule.h"
#include "nerve/services/standing.h"
#include "nerve/services/watcher.h"

struct watcher {
    const struct service_config *service; /* borrowed */
    struct reporter *reporter;            /* borrowed */
    struct log *log;                      /* borrowed */
    uv_loop_t *loop;                      /* borrowed */
    struct lateness *late;                /* borrowed; of all services */
    struct untried *untried;              /* borrowed; of all services */
    struct hearing *hearing;              /* borrowed; of all services */
    struct statsd *statsd;                /* borrowed, or NULL */
    uv_timer_t timer;
    struct schedule schedule;
    struct check **checks;       /* owned; one for each of the service's */
    struct health *health;       /* owned; of the same checks */
    struct check_tally *tallies; /* owned; of the same checks */
    size_t running;          /* the running check, or the number of checks */
    uint64_t started_ns;     /* when that check started */
    unsigned int risen;      /* <rise> of the check that rose last */
    enum health_state state; /* as reported */
    bool throttled;          /* rate_limiting throttled a later change */
    uint64_t throttled_count;
    struct rate_limit limit;
    struct push_report report;       /* what the service has said of itself */
    uint64_t reports[PUSH_FAIL + 1]; /* counts of the reports, by word */
    bool hurried; /* a report has started a pass since the last due one */
};

/* Ends the pass with another <state> than before; <why> ends the log line. */
static void settle(struct watcher *w, enum health_state state,
                   const char *why) {
    const struct service_config *service = w->service;
    bool bare_ipv6 = strchr(service->host, ':') != NULL;

    log_line(w->log, state == HEALTH_UP ? LEVEL_INFO : LEVEL_WARNING,
             bare_ipv6 ? "%s: instance [%s]:%s %s -> %s%s"
                       : "%s: instance %s:%s %s -> %s%s",
             service->name, service->host, service->port, health_name(w->state),
             health_name(state), why);
    w->state = state;
    statsd_count(w->statsd, "nerve.watcher.status.transition", "new_status",
                 health_name(state), "service_name", service->name, NULL);
    reporter_want(w->reporter, state == HEALTH_UP, (int64_t)uv_now(w->loop));
}

/* Takes a token for a report. Without a token nothing is reported, except in
 * shadow mode, and the next pass reports whatever it finds. */
static bool may_report(struct watcher *w, enum health_state state) {
    const struct rate_config *rate = &w->service->rate;
    bool told = w->throttled;

    w->throttled = false;
    if (rate_limit_take(&w->limit, rate, (int64_t)uv_now(w->loop)))
        return true;
    statsd_count(w->statsd, "nerve.watcher.throttled", "service_name",
                 w->service->name, "shadow_mode",
                 rate->shadow_mode ? "true" : "false", NULL);
    if (rate->shadow_mode) {
        log_line(w->log, LEVEL_INFO,
                 "%s: rate_limiting would throttle %s -> %s, but for "
                 "shadow_mode",
                 w->service->name, health_name(w->state), health_name(state));
        return true;
    }
    if (!told)
        log_line(w->log, LEVEL_WARNING, "%s: rate_limiting throttles %s -> %s",
                 w->service->name, health_name(w->state), health_name(state));
    w->throttled_count += !told;
    w->throttled = true;
    return false;
}

/* Ends the pass. The log line has " after 3 failures", except for the first
 * result, which decides at once. */
static void settle_after(struct watcher *w, enum health_state state,
                         const char *streak, const char *failure) {
    size_t last = w->running;
    struct text why = {0};

    w->running = w->service->check_count;
    if ((state == w->state && !w->throttled) || !may_report(w, state) ||
        state == w->state)
        return;
    text_puts(&why, "");
    if (w->state != HEALTH_UNKNOWN)
        text_printf(&why, " after %s", streak);
    if (failure)
        text_printf(&why, " (%s: %s)", w->service->checks[last].name, failure);
    settle(w, state, why.failed ? "" : why.data);
    text_close(&why);
}

static void settle_down(struct watcher *w, const char *failure) {
    unsigned int fall = w->service->checks[w->running].fall;
    char streak[40];

    snprintf(streak, sizeof(streak), "%u failure%s", fall,
             fall == 1 ? "" : "s");
    settle_after(w, HEALTH_DOWN, streak, failure);
}

static void settle_up(struct watcher *w) {
    char streak[40];

    snprintf(streak, sizeof(streak), "%u success%s", w->risen,
             w->risen == 1 ? "" : "es");
    settle_after(w, HEALTH_UP, streak, NULL);
}

static void start_check(struct watcher *w) {
    w->started_ns = uv_hrtime();
    check_start(w->checks[w->running]);
}

static void tally(struct watcher *w, bool passed) {
    struct check_tally *t = &w->tallies[w->running];

    t->passed += passed;
    t->failed += !passed;
    histogram_add(&t->took, (uv_hrtime() - w->started_ns) / 1000);
}

/* Logs once a minute how many checks of all services were not tried. */
static void tell_untried(struct watcher *w, const char *reason) {
    uint64_t count = untried_add(w->untried, uv_now(w->loop));

    if (count)
        log_line(w->log, LEVEL_WARNING,
                 "checks: %" PRIu64 " not tried, the last of %s (%s: %s); what "
                 "is registered stays so",
                 count, w->service->name, w->service->checks[w->running].name,
                 reason);
}

/* Starts the next check, or ends the pass because all have passed. */
static void go_on(struct watcher *w) {
    if (++w->running < w->service->check_count)
        start_check(w);
    else
        settle_up(w);
}

/* nerve itself lacks something, so it learns nothing of the instance, whose
 * health stays. A leak of descriptors used to deregister all services of a
 * machine. */
static void on_not_tried(struct watcher *w, const char *reason) {
    w->tallies[w->running].not_tried++;
    log_line(w->log, LEVEL_DEBUG, "%s: check %s not tried: %s",
             w->service->name, w->service->checks[w->running].name, reason);
    tell_untried(w, reason);
    if (w->health[w->running].state == HEALTH_UP)
        go_on(w);
    else
        w->running = w->service->check_count;
}

static void on_tried(struct watcher *w, bool passed, const char *reason) {
    const struct check_config *check = &w->service->checks[w->running];
    struct health *health = &w->health[w->running];
    bool was_down = health->state == HEALTH_DOWN;

    log_line(w->log, LEVEL_DEBUG, "%s: check %s %s%s%s", w->service->name,
             check->name, passed ? "passed" : "failed", passed ? "" : ": ",
             passed ? "" : reason);
    tally(w, passed);
    if (health_update(health, passed) && was_down)
        w->risen = check->rise;
    statsd_count(w->statsd, "nerve.watcher.status.service_check",
                 "check_result", health_name(health->state), "service_name",
                 w->service->name, "check_name", check->name, NULL);
    if (health->state == HEALTH_DOWN)
        settle_down(w, passed ? "not enough successes yet" : reason);
    else
        go_on(w);
}

static void on_result(void *arg, enum check_result result, const char *reason) {
    if (result == CHECK_NOT_TRIED)
        on_not_tried(arg, reason);
    else
        on_tried(arg, result == CHECK_PASSED, reason);
}

static void on_due(uv_timer_t *timer);

static void set_timer(struct watcher *w) {
    uv_timer_start(&w->timer, on_due,
                   schedule_wait(&w->schedule, uv_now(w->loop)), 0);
}

/* Logs once a minute which passes of all services were late or left out. */
static void tell_lateness(struct watcher *w) {
    static const char why[] = "left out, for the run before had not ended";
    struct late_passes passes;

    if (!lateness_tell(w->late, uv_now(w->loop), &passes))
        return;
    if (passes.late == 0)
        log_line(w->log, LEVEL_WARNING, "checks: %" PRIu64 " %s",
                 passes.left_out, why);
    else if (passes.left_out == 0)
        log_line(w->log, LEVEL_WARNING,
                 "checks: %" PRIu64 " started late, by %" PRIu64 " ms at most",
                 passes.late, passes.worst_ms);
    else
        log_line(w->log, LEVEL_WARNING,
                 "checks: %" PRIu64 " started late, by %" PRIu64
                 " ms at most; %" PRIu64 " %s",
                 passes.late, passes.worst_ms, passes.left_out, why);
}

/* airbnb's nerve asks ZooKeeper before each pass; here the session knows. */
static void tell_connection(struct watcher *w) {
    bool connected = reporter_is_connected(w->reporter);

    statsd_count(w->statsd, "nerve.watcher.status.ping.count", "ping_result",
                 connected ? "success" : "fail", "service_name",
                 w->service->name, "nerve_version", VERSION, NULL);
}

static void start_pass(struct watcher *w) {
    w->running = 0;
    start_check(w);
}

static void on_due(uv_timer_t *timer) {
    struct watcher *w = timer->data;

    lateness_started(w->late, schedule_pass(&w->schedule, uv_now(w->loop)));
    w->hurried = false;
    set_timer(w);
    if (w->running < w->service->check_count) {
        lateness_left_out(w->late);
        log_line(w->log, LEVEL_DEBUG,
                 "%s: the pass before still runs, one left out",
                 w->service->name);
        tell_lateness(w);
        return;
    }
    tell_lateness(w);
    tell_connection(w);
    start_pass(w);
}

static uint64_t now_heard(const struct watcher *w) {
    return hearing_ms(w->hearing, uv_now(w->loop));
}

void watcher_hear(struct watcher *w, enum push_word word, const char *reason) {
    unsigned int ttl_ms = config_push_check(w->service)->ttl_ms;
    uint64_t now = now_heard(w);
    bool was_well = push_is_well(&w->report, ttl_ms, now, NULL, 0);

    push_say(&w->report, word, reason, now);
    w->reports[word]++;
    if (was_well == (word == PUSH_PASS) || w->hurried ||
        w->running < w->service->check_count ||
        !uv_is_active((uv_handle_t *)&w->timer))
        return;
    w->hurried = true;
    start_pass(w);
}

const struct push_report *watcher_heard(const struct watcher *w) {
    return &w->report;
}

uint64_t watcher_silence(const struct watcher *w) {
    return push_silence(&w->report, now_heard(w));
}

uint64_t watcher_reports(const struct watcher *w, enum push_word word) {
    return w->reports[word];
}

static int open_checks(struct watcher *w, const struct check_env *env) {
    const struct service_config *service = w->service;
    struct check_env own = *env;

    own.report = &w->report;

    w->checks = calloc(service->check_count + 1, sizeof(*w->checks));
    w->health = calloc(service->check_count + 1, sizeof(*w->health));
    w->tallies = calloc(service->check_count + 1, sizeof(*w->tallies));
    if (!w->checks || !w->health || !w->tallies)
        return -1;
    for (size_t i = 0; i < service->check_count; i++) {
        w->health[i].rise = service->checks[i].rise;
        w->health[i].fall = service->checks[i].fall;
        w->checks[i] = check_open(&own, &service->checks[i], on_result, w);
        if (!w->checks[i])
            return -1;
    }
    return 0;
}

static void on_closed(uv_handle_t *timer) { free(timer->data); }

void watcher_close(struct watcher *w) {
    if (!w)
        return;
    for (size_t i = 0; w->checks && i < w->service->check_count; i++)
        check_close(w->checks[i]);
    free(w->tallies);
    free(w->health);
    free(w->checks);
    uv_close((uv_handle_t *)&w->timer, on_closed);
}

struct watcher *watcher_open(const struct check_env *env,
                             const struct service_config *service,
                             struct reporter *reporter, struct log *log) {
    struct watcher *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->service = service;
    w->reporter = reporter;
    w->log = log;
    w->loop = env->loop;
    w->late = env->late;
    w->untried = env->untried;
    w->hearing = env->hearing;
    w->statsd = env->statsd;
    w->running = service->check_count;
    rate_limit_start(&w->limit, &service->rate, (int64_t)uv_now(env->loop));
    uv_timer_init(env->loop, &w->timer);
    w->timer.data = w;
    if (open_checks(w, env) == 0)
        return w;
    watcher_close(w);
    return NULL;
}

void watcher_start(struct watcher *w, size_t index, size_t count) {
    if (w->service->check_count == 0) {
        if (w->state != HEALTH_UP)
            settle(w, HEALTH_UP, " (it has no checks)");
        return;
    }
    schedule_start(&w->schedule, w->service->check_interval_ms, index, count,
                   uv_now(w->loop));
    set_timer(w);
}

void watcher_save(const struct watcher *w, struct standing *standing) {
    *standing = (struct standing){.state = w->state,
                                  .throttled = w->throttled,
                                  .limit = w->limit,
                                  .report = w->report,
                                  .silence_ms = watcher_silence(w),
                                  .health = w->health,
                                  .count = w->service->check_count};
}

void watcher_hear_again(struct watcher *w, const struct standing *standing) {
    uint64_t now = now_heard(w), silence = standing->silence_ms;

    w->report = standing->report;
    w->report.since_ms = now > silence ? now - silence : 0;
}

void watcher_restore(struct watcher *w, const struct standing *standing) {
    watcher_hear_again(w, standing);
    if (standing->count != w->service->check_count)
        return;
    w->state = standing->state;
    w->throttled = standing->throttled;
    w->limit = standing->limit;
    for (size_t i = 0; i < standing->count; i++) {
        w->health[i].state = standing->health[i].state;
        w->health[i].streak = standing->health[i].streak;
    }
}

void watcher_pause(struct watcher *w) {
    uv_timer_stop(&w->timer);
    if (w->running < w->service->check_count)
        check_stop(w->checks[w->running]);
    w->running = w->service->check_count;
}

void watcher_resume(struct watcher *w) {
    if (w->service->check_count > 0)
        set_timer(w);
}

enum health_state watcher_state(const struct watcher *w) { return w->state; }

const struct check_tally *watcher_tally(const struct watcher *w, size_t index) {
    return &w->tallies[index];
}

uint64_t watcher_throttled(const struct watcher *w) {
    return w->throttled_count;
}
