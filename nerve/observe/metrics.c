/* metrics.c - what nerve shows while it runs: /metrics and /health
 *
 * The samples of a family must stand together, so each family walks through all
 * services.
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "csrc/base/text.h"
#include "nerve/checks/dns.h"
#include "nerve/config/model.h"
#include "nerve/log.h"
#include "nerve/measure/histogram.h"
#include "nerve/measure/prometheus.h"
#include "nerve/measure/statsd.h"
#include "nerve/observe/http_server.h"
#include "nerve/observe/metrics.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"
#include "nerve/services/health.h"
#include "nerve/services/schedule.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"

/* What is shown; all borrowed. */
struct shown {
    const struct services *services;
    const struct lateness *late;
    const struct statsd *statsd;
    struct histogram loop_lag; /* how late the loop came to its timers */
    uint64_t reloads;          /* completed */
    uint64_t refused_reloads;
};

struct loop_lag {
    struct histogram *histogram; /* borrowed */
    uv_timer_t timer;
    uint64_t due_ms;
};

#define INTERVAL_MS 1000

static void on_timer(uv_timer_t *timer) {
    struct loop_lag *l = timer->data;
    uint64_t now = uv_now(timer->loop);

    histogram_add(l->histogram, (now - l->due_ms) * 1000);
    l->due_ms = now + INTERVAL_MS;
    uv_timer_start(timer, on_timer, INTERVAL_MS, 0);
}

/* Measures every second how late the loop is. Adds it to <histogram>, which it
 * keeps borrowed until loop_lag_close(). */
static void loop_lag_start(struct loop_lag *l, uv_loop_t *loop,
                           struct histogram *histogram) {
    l->histogram = histogram;
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    l->due_ms = uv_now(loop) + INTERVAL_MS;
    uv_timer_start(&l->timer, on_timer, INTERVAL_MS, 0);
}

/* Ends <l>, and calls <closed> when it may be freed. */
static void loop_lag_close(struct loop_lag *l, uv_close_cb closed) {
    uv_close((uv_handle_t *)&l->timer, closed);
}

const char *health_trouble(enum health_state state, bool connected,
                           bool registered, bool settled) {
    if (state == HEALTH_UNKNOWN)
        return "not checked yet";
    if (!connected)
        return "ZooKeeper is out of reach";
    if (settled)
        return NULL;
    if (state == HEALTH_UP)
        return registered ? "the registration is being changed"
                          : "up, but not registered";
    return registered ? "down, but still registered"
                      : "down; not known whether it is registered";
}

static const char *trouble_of(const struct service *s) {
    return health_trouble(
        watcher_state(s->watcher), reporter_is_connected(s->reporter),
        reporter_is_registered(s->reporter), reporter_is_settled(s->reporter));
}

/* Writes one line, whatever bytes the name has. <cause> may be NULL. */
static void add_trouble(struct text *t, const char *name, const char *trouble,
                        const char *cause) {
    for (; *name; name++) {
        bool control = (unsigned char)*name < 0x20 || *name == 0x7f;

        text_add(t, control ? "?" : name, 1);
    }
    text_printf(t, cause ? ": %s (%s)\n" : ": %s\n", trouble, cause);
}

/* Returns the page /health: 200 if each service is in order, else 503 with a
 * line for each that is not. A service that is down and not registered is in
 * order. The caller owns the body. */
static struct web_page health_page(const struct services *r) {
    struct text t = {0};
    size_t count = 0;
    const struct service *s;
    unsigned int status;

    for (size_t i = 0; (s = services_at(r, i)); i++) {
        const char *trouble = service_is_current(s) ? trouble_of(s) : NULL;

        count += service_is_current(s);
        if (trouble)
            add_trouble(&t, s->config->name, trouble, service_trouble(s));
    }
    status = t.length ? 503 : 200;
    if (t.length == 0)
        text_printf(&t, "ok, %zu service%s\n", count, count == 1 ? "" : "s");
    return (struct web_page){status, "text/plain; charset=utf-8",
                             text_take(&t)};
}

#define PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"
#define PLAIN      "text/plain; charset=utf-8"
#define INDEX      "/metrics\n/health\n"

/* Appends a family's samples of one service or one ensemble. */
typedef void service_fn(struct text *t, const char *name,
                        const struct service *s);
typedef void ensemble_fn(struct text *t, const char *name,
                         const struct ensemble *e);

static void add_state(struct text *t, const char *name, const struct service *s,
                      bool value) {
    struct label label = {"service", s->config->name};

    exposition_sample(t, name, &label, 1, value);
}

static void add_up(struct text *t, const char *name, const struct service *s) {
    add_state(t, name, s, watcher_state(s->watcher) == HEALTH_UP);
}

static void add_registered(struct text *t, const char *name,
                           const struct service *s) {
    add_state(t, name, s, reporter_is_registered(s->reporter));
}

static void add_held(struct text *t, const char *name,
                     const struct service *s) {
    add_state(t, name, s, reporter_is_held(s->reporter));
}

static void add_throttled(struct text *t, const char *name,
                          const struct service *s) {
    struct label label = {"service", s->config->name};

    exposition_sample(t, name, &label, 1, watcher_throttled(s->watcher));
}

/* Checks of a service may have the same name, so a label has their place. */
static void label_check(struct label labels[3], char index[12],
                        const struct service *s, size_t i) {
    snprintf(index, 12, "%u", (unsigned int)i);
    labels[0] = (struct label){"service", s->config->name};
    labels[1] = (struct label){"index", index};
    labels[2] = (struct label){"check", s->config->checks[i].name};
}

static void add_checks(struct text *t, const char *name,
                       const struct service *s) {
    struct label labels[4];
    char index[12];

    for (size_t i = 0; i < s->config->check_count; i++) {
        const struct check_tally *tally = watcher_tally(s->watcher, i);

        label_check(labels, index, s, i);
        labels[3] = (struct label){"result", "passed"};
        exposition_sample(t, name, labels, 4, tally->passed);
        labels[3] = (struct label){"result", "failed"};
        exposition_sample(t, name, labels, 4, tally->failed);
        labels[3] = (struct label){"result", "not_tried"};
        exposition_sample(t, name, labels, 4, tally->not_tried);
    }
}

static void add_durations(struct text *t, const char *name,
                          const struct service *s) {
    struct label labels[3];
    char index[12];

    for (size_t i = 0; i < s->config->check_count; i++) {
        label_check(labels, index, s, i);
        exposition_histogram(t, name, labels, 3,
                             &watcher_tally(s->watcher, i)->took);
    }
}

static void add_connected(struct text *t, const char *name,
                          const struct ensemble *e) {
    struct label label = {"ensemble", ensemble_hosts(e)};

    exposition_sample(t, name, &label, 1, ensemble_is_connected(e));
}

static void add_sessions(struct text *t, const char *name,
                         const struct ensemble *e) {
    struct label label = {"ensemble", ensemble_hosts(e)};

    exposition_sample(t, name, &label, 1, ensemble_counts(e)->sessions);
}

static void add_expired(struct text *t, const char *name,
                        const struct ensemble *e) {
    struct label label = {"ensemble", ensemble_hosts(e)};

    exposition_sample(t, name, &label, 1, ensemble_counts(e)->expired);
}

static const char *const write_names[WRITE_OPS] = {"create", "set", "delete"};

static void add_failures(struct text *t, const char *name,
                         const struct ensemble *e) {
    const struct writes *writes = &ensemble_counts(e)->writes;

    for (size_t op = 0; op < WRITE_OPS; op++) {
        struct label labels[] = {{"ensemble", ensemble_hosts(e)},
                                 {"operation", write_names[op]}};

        exposition_sample(t, name, labels, 2, writes->failures[op]);
    }
}

static void add_writes(struct text *t, const char *name,
                       const struct ensemble *e) {
    const struct writes *writes = &ensemble_counts(e)->writes;

    for (size_t op = 0; op < WRITE_OPS; op++) {
        struct label labels[] = {{"ensemble", ensemble_hosts(e)},
                                 {"operation", write_names[op]}};

        exposition_histogram(t, name, labels, 2, &writes->took[op]);
    }
}

static void add_reports(struct text *t, const char *name,
                        const struct service *s) {
    struct label labels[] = {{"service", s->config->name},
                             {"result", "passed"}};

    if (!config_push_check(s->config))
        return;
    exposition_sample(t, name, labels, 2,
                      watcher_reports(s->watcher, PUSH_PASS));
    labels[1].value = "failed";
    exposition_sample(t, name, labels, 2,
                      watcher_reports(s->watcher, PUSH_FAIL));
}

static const struct {
    const char *name, *type, *help;
    service_fn *add;
} service_families[] = {
    {"nerve_service_up", "gauge", "Whether the service's checks pass.", add_up},
    {"nerve_service_registered", "gauge",
     "Whether the service is known to be registered.", add_registered},
    {"nerve_service_held", "gauge",
     "Whether an operator has disabled it or given it another weight.",
     add_held},
    {"nerve_service_throttled_total", "counter",
     "Changes that rate_limiting has throttled.", add_throttled},
    {"nerve_checks_total", "counter", "Checks that ended.", add_checks},
    {"nerve_push_reports_total", "counter",
     "Reports of the service itself, for its push check.", add_reports},
    {"nerve_check_duration_seconds", "histogram", "How long checks took.",
     add_durations},
};

static const struct {
    const char *name, *type, *help;
    ensemble_fn *add;
} ensemble_families[] = {
    {"nerve_zk_connected", "gauge", "Whether the session is connected.",
     add_connected},
    {"nerve_zk_sessions_total", "counter", "Sessions that were opened.",
     add_sessions},
    {"nerve_zk_sessions_expired_total", "counter",
     "Sessions that the servers have ended.", add_expired},
    {"nerve_zk_write_failures_total", "counter",
     "Writes to ZooKeeper that failed.", add_failures},
    {"nerve_zk_write_duration_seconds", "histogram",
     "How long ZooKeeper took to answer writes.", add_writes},
};

/* Two sessions have the same servers only while a reload changes the
 * session_timeout. Then the newer one is shown. */
static bool is_newest(const struct services *r, size_t index) {
    const char *hosts = ensemble_hosts(services_ensemble(r, index));
    const struct ensemble *e;

    while ((e = services_ensemble(r, ++index)))
        if (strcmp(ensemble_hosts(e), hosts) == 0)
            return false;
    return true;
}

static void add_services(struct text *t, const struct services *r) {
    const struct service *s;

    for (size_t f = 0; f < sizeof(service_families) / sizeof(*service_families);
         f++) {
        exposition_family(t, service_families[f].name, service_families[f].type,
                          service_families[f].help);
        for (size_t i = 0; (s = services_at(r, i)); i++)
            if (service_is_current(s))
                service_families[f].add(t, service_families[f].name, s);
    }
}

static void add_ensembles(struct text *t, const struct services *r) {
    const struct ensemble *e;

    for (size_t f = 0;
         f < sizeof(ensemble_families) / sizeof(*ensemble_families); f++) {
        exposition_family(t, ensemble_families[f].name,
                          ensemble_families[f].type, ensemble_families[f].help);
        for (size_t i = 0; (e = services_ensemble(r, i)); i++)
            if (is_newest(r, i))
                ensemble_families[f].add(t, ensemble_families[f].name, e);
    }
}

/* Appends a family of one sample. */
static void add_single(struct text *t, const char *name, const char *type,
                       const char *help, uint64_t value) {
    exposition_family(t, name, type, help);
    exposition_sample(t, name, NULL, 0, value);
}

static void add_process(struct text *t, const struct shown *m) {
    const struct label version = {"version", VERSION};
    struct label result = {"result", "done"};

    exposition_family(t, "nerve_build_info", "gauge", "The version.");
    exposition_sample(t, "nerve_build_info", &version, 1, 1);
    exposition_family(t, "nerve_config_reloads_total", "counter",
                      "Configurations that were read again.");
    exposition_sample(t, "nerve_config_reloads_total", &result, 1, m->reloads);
    result.value = "refused";
    exposition_sample(t, "nerve_config_reloads_total", &result, 1,
                      m->refused_reloads);
    exposition_family(t, "nerve_check_late_seconds", "histogram",
                      "How late passes of checks started.");
    exposition_histogram(t, "nerve_check_late_seconds", NULL, 0,
                         &m->late->starts);
    add_single(t, "nerve_checks_left_out_total", "counter",
               "Passes left out because the one before still ran.",
               m->late->left_out);
    exposition_family(t, "nerve_loop_lag_seconds", "histogram",
                      "How late the loop came to a timer of every second.");
    exposition_histogram(t, "nerve_loop_lag_seconds", NULL, 0, &m->loop_lag);
    add_single(t, "nerve_statsd_lost_total", "counter",
               "Metrics that could not be sent to statsd.",
               statsd_lost(m->statsd));
}

static char *all_metrics(const struct shown *m) {
    struct text t = {0};

    add_process(&t, m);
    add_services(&t, m->services);
    add_ensembles(&t, m->services);
    return text_take(&t);
}

/* Returns the page <path>; <arg> is a struct shown. The caller owns the
 * body. */
static struct web_page shown_page(void *arg, const char *path) {
    const struct shown *m = arg;

    if (strcmp(path, "/metrics") == 0)
        return (struct web_page){200, PROMETHEUS, all_metrics(m)};
    if (strcmp(path, "/health") == 0)
        return health_page(m->services);
    if (strcmp(path, "/") == 0)
        return (struct web_page){200, PLAIN, strdup(INDEX)};
    return (struct web_page){404, PLAIN, strdup("there are:\n" INDEX)};
}

struct metrics {
    struct log *log;       /* borrowed */
    struct statsd *statsd; /* owned */
    struct web *web;       /* owned */
    struct loop_lag lag;
    struct shown shown;
};

static const struct statsd_names names = {
    .look_up = lookup_new, .start = lookup_start, .free = lookup_free};

struct metrics *metrics_new(uv_loop_t *loop, struct log *log,
                            const struct lateness *late) {
    struct metrics *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->log = log;
    t->statsd = statsd_new(loop, &names);
    t->web = web_new(loop, log, shown_page, &t->shown);
    t->shown.late = late;
    t->shown.statsd = t->statsd;
    loop_lag_start(&t->lag, loop, &t->shown.loop_lag);
    if (t->statsd && t->web)
        return t;
    metrics_close(t);
    return NULL;
}

struct statsd *metrics_statsd(struct metrics *metrics) {
    return metrics->statsd;
}

static void use(struct metrics *t, const struct config *config) {
    if (statsd_use(t->statsd, config->statsd.host, config->statsd.port) != 0)
        log_line(t->log, LEVEL_ERROR, "statsd: nothing is sent: out of memory");
    web_use(t->web, config->metrics.host, config->metrics.port);
}

void metrics_start(struct metrics *t, const struct services *services,
                   const struct config *config) {
    t->shown.services = services;
    use(t, config);
    statsd_count(t->statsd, "nerve.start", NULL);
}

void metrics_reload(struct metrics *t, const struct config *config) {
    if (!config) {
        t->shown.refused_reloads++;
        return;
    }
    t->shown.reloads++;
    use(t, config);
    statsd_count(t->statsd, "nerve.config.update", NULL);
}

static void on_closed(uv_handle_t *timer) {
    struct loop_lag *lag = timer->data;

    free((char *)lag - offsetof(struct metrics, lag));
}

void metrics_close(struct metrics *t) {
    if (!t)
        return;
    statsd_count(t->statsd, "nerve.stop", "stop_avenue", "clean",
                 "stop_location", "main_loop", NULL);
    statsd_close(t->statsd);
    web_close(t->web);
    loop_lag_close(&t->lag, on_closed);
}
