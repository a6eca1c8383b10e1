/* telemetry.c - how nerve itself is watched: metrics, statsd, wired
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "nerve/config/read.h"
#include "nerve/log.h"
#include "nerve/measure/statsd.h"
#include "nerve/observe/http_server.h"
#include "nerve/observe/loop_lag.h"
#include "nerve/observe/metrics.h"
#include "nerve/observe/telemetry.h"

struct telemetry {
    struct log *log;       /* borrowed */
    struct statsd *statsd; /* owned */
    struct web *web;       /* owned */
    struct loop_lag lag;
    struct metrics metrics;
};

struct telemetry *telemetry_new(uv_loop_t *loop, struct log *log,
                                const struct lateness *late) {
    struct telemetry *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->log = log;
    t->statsd = statsd_new(loop);
    t->web = web_new(loop, log, metrics_page, &t->metrics);
    t->metrics.late = late;
    t->metrics.statsd = t->statsd;
    loop_lag_start(&t->lag, loop, &t->metrics.loop_lag);
    if (t->statsd && t->web)
        return t;
    telemetry_close(t);
    return NULL;
}

struct statsd *telemetry_statsd(struct telemetry *t) {
    return t->statsd;
}

static void use(struct telemetry *t, const struct config *config) {
    if (statsd_use(t->statsd, config->statsd.host, config->statsd.port) != 0)
        log_line(t->log, LEVEL_ERROR, "statsd: nothing is sent: out of memory");
    web_use(t->web, config->metrics.host, config->metrics.port);
}

void telemetry_start(struct telemetry *t, const struct roster *roster,
                     const struct config *config) {
    t->metrics.roster = roster;
    use(t, config);
    statsd_count(t->statsd, "nerve.start", NULL);
}

void telemetry_reload(struct telemetry *t, const struct config *config) {
    if (!config) {
        t->metrics.refused_reloads++;
        return;
    }
    t->metrics.reloads++;
    use(t, config);
    statsd_count(t->statsd, "nerve.config.update", NULL);
}

static void on_closed(uv_handle_t *timer) {
    struct loop_lag *lag = timer->data;

    free((char *)lag - offsetof(struct telemetry, lag));
}

void telemetry_close(struct telemetry *t) {
    if (!t)
        return;
    statsd_count(t->statsd, "nerve.stop", "stop_avenue", "clean",
                 "stop_location", "main_loop", NULL);
    statsd_close(t->statsd);
    web_close(t->web);
    loop_lag_close(&t->lag, on_closed);
}
