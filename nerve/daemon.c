/* daemon.c - all parts of nerve, wired: runs until a signal ends it
 *
 * The end has three steps, each with a deadline, because whoever sent the
 * signal waits:
 *
 *   leaving   the checks stop and the registrations are removed
 *   closing   the sessions are closed, on the worker
 *   over      the loop runs out of handles
 *
 * Only queue_wake() is called on other threads.
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "csrc/queue.h"
#include "csrc/session.h"
#include "csrc/worker.h"
#include "nerve/check.h"
#include "nerve/config.h"
#include "nerve/curl_loop.h"
#include "nerve/daemon.h"
#include "nerve/ensemble.h"
#include "nerve/log.h"
#include "nerve/reporter.h"
#include "nerve/watcher.h"

#define QUEUE_LIMIT 100000
#define LIBRARY_MS  60000 /* between errors of the client library */
#define END_TICK_MS 10
#define LEAVING_MS  1000 /* then what is registered is left to the servers */
#define CLOSING_MS  1600 /* since the signal; then the process just ends */
#define FLUSH_MS    100

struct daemon {
    const struct config *config; /* borrowed */
    struct log *log;             /* borrowed */
    uv_loop_t loop;
    uv_async_t wake;
    uv_signal_t signals[3];
    uv_timer_t end_timer;
    uint64_t end_since_ms;       /* when the signal came; 0: none */
    uint64_t library_next_ms;    /* when its next error is shown */
    bool closed;                 /* the loop runs out of handles */
    struct queue *queue;         /* owned */
    struct worker *closer;       /* owned; closes handles */
    struct curl_loop *curl;      /* owned */
    struct reporter **reporters; /* owned, with its members: as watchers */
    struct watcher **watchers;   /* owned, with its members */
    size_t service_count;        /* of these that there are */
    struct ensemble **ensembles; /* owned, with its members */
    size_t ensemble_count;
};

/* Any thread. */
static void wake_loop(void *arg) { uv_async_send(arg); }

/* Lines of the client library. While a server is down it has much to say; one
 * error a minute is enough to see why. */
static void log_library(struct daemon *d, const struct event *ev) {
    uint64_t now = uv_now(&d->loop);
    enum event_level level = LEVEL_DEBUG;

    if (ev->level <= LEVEL_WARNING && now >= d->library_next_ms) {
        level = LEVEL_INFO;
        d->library_next_ms = now + LIBRARY_MS;
    }
    log_line(d->log, level, "zookeeper: %s", ev->data ? ev->data : "");
}

static void on_wake(uv_async_t *wake) {
    struct daemon *d = wake->data;
    struct event *ev;

    while ((ev = queue_pop(d->queue))) {
        if (ev->type == EVENT_LOG)
            log_library(d, ev);
        for (size_t i = 0; i < d->ensemble_count; i++)
            ensemble_absorb(d->ensembles[i], ev);
        event_free(ev);
    }
}

static void close_watchers(struct daemon *d) {
    for (size_t i = 0; i < d->service_count; i++) {
        watcher_close(d->watchers[i]);
        d->watchers[i] = NULL;
    }
}

/* Begins the end: no check runs any more, nothing is wanted. */
static void leave(struct daemon *d) {
    int64_t now = (int64_t)uv_now(&d->loop);

    close_watchers(d);
    for (size_t i = 0; i < d->service_count; i++)
        reporter_want(d->reporters[i], false, now);
}

static bool all_are_gone(const struct daemon *d) {
    for (size_t i = 0; i < d->ensemble_count; i++)
        if (!ensemble_is_gone(d->ensembles[i]))
            return false;
    return true;
}

static void close_ensembles(struct daemon *d) {
    for (size_t i = 0; i < d->ensemble_count; i++)
        ensemble_close(d->ensembles[i]);
    d->ensemble_count = 0;
}

/* Lets the loop run out of handles. The timer of the end still runs, because
 * a query of names may hang, but keeps the loop no longer. */
static void close_loop(struct daemon *d) {
    d->closed = true;
    curl_loop_free(d->curl);
    d->curl = NULL;
    if (d->queue)
        queue_set_wake(d->queue, NULL, NULL);
    uv_close((uv_handle_t *)&d->wake, NULL);
    uv_unref((uv_handle_t *)&d->end_timer);
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
}

/* Ends the process while threads hang in a call of the client library, or in
 * a query of names. */
static void end_at_once(struct daemon *d) {
    log_line(d->log, LEVEL_WARNING,
             "stopped without an answer; what is registered goes with its "
             "session");
    log_flush(d->log, FLUSH_MS);
    _exit(0);
}

static void on_end_tick(uv_timer_t *timer) {
    struct daemon *d = timer->data;
    uint64_t elapsed = uv_now(&d->loop) - d->end_since_ms;

    if (d->ensemble_count && (all_are_gone(d) || elapsed >= LEAVING_MS))
        close_ensembles(d);
    if (d->ensemble_count)
        return;
    if (!d->closed && worker_pending(d->closer) == 0)
        close_loop(d);
    else if (elapsed >= CLOSING_MS)
        end_at_once(d);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct daemon *d = handle->data;

    if (number == SIGHUP) {
        log_line(d->log, LEVEL_WARNING,
                 "SIGHUP ignored: a changed configuration needs a restart");
        return;
    }
    if (d->end_since_ms)
        return;
    log_line(d->log, LEVEL_INFO, "%s: removing the registrations",
             number == SIGTERM ? "SIGTERM" : "SIGINT");
    d->end_since_ms = uv_now(&d->loop);
    leave(d);
    uv_timer_start(&d->end_timer, on_end_tick, 0, END_TICK_MS);
}

static void open_loop(struct daemon *d) {
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    uv_async_init(&d->loop, &d->wake, on_wake);
    d->wake.data = d;
    uv_timer_init(&d->loop, &d->end_timer);
    d->end_timer.data = d;
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
    }
}

/* Returns the ensemble of <hosts>, a new one if need be, or NULL without
 * memory. */
static struct ensemble *ensemble_of(struct daemon *d, const char *hosts) {
    struct ensemble_env env = {
        .loop = &d->loop,
        .queue = d->queue,
        .worker = d->closer,
        .log = d->log,
        .session_timeout_ms = d->config->session_timeout_ms,
    };
    struct ensemble *e;

    for (size_t i = 0; i < d->ensemble_count; i++)
        if (strcmp(ensemble_hosts(d->ensembles[i]), hosts) == 0)
            return d->ensembles[i];
    e = ensemble_new(&env, hosts);
    if (e)
        d->ensembles[d->ensemble_count++] = e;
    return e;
}

static int open_service(struct daemon *d,
                        const struct service_config *service) {
    struct check_env env = {.loop = &d->loop, .curl = d->curl};
    size_t index = d->service_count;
    struct ensemble *e = ensemble_of(d, service->ensemble);

    if (!e)
        return -1;
    d->service_count++;
    d->reporters[index] = reporter_new(service, d->log);
    if (!d->reporters[index] || ensemble_add(e, d->reporters[index]) != 0)
        return -1;
    d->watchers[index] =
        watcher_open(&env, service, d->reporters[index], d->log);
    return d->watchers[index] ? 0 : -1;
}

/* Makes all parts. Returns 0, or -1 without memory. */
static int open_parts(struct daemon *d) {
    size_t count = d->config->service_count;

    d->reporters = calloc(count + 1, sizeof(*d->reporters));
    d->watchers = calloc(count + 1, sizeof(*d->watchers));
    d->ensembles = calloc(count + 1, sizeof(*d->ensembles));
    d->queue = queue_new(QUEUE_LIMIT);
    d->closer = worker_new();
    d->curl = curl_loop_new(&d->loop);
    if (!d->reporters || !d->watchers || !d->ensembles || !d->queue ||
        !d->closer || !d->curl)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (open_service(d, &d->config->services[i]) != 0)
            return -1;
    return 0;
}

static void start_parts(struct daemon *d) {
    queue_set_wake(d->queue, wake_loop, &d->wake);
    session_log_to(d->queue);
    for (size_t i = 0; i < d->ensemble_count; i++)
        ensemble_start(d->ensembles[i]);
    for (size_t i = 0; i < d->service_count; i++)
        watcher_start(d->watchers[i], i, d->service_count);
}

/* Frees what the loop does not close. */
static void free_parts(struct daemon *d) {
    session_log_to(NULL);
    for (size_t i = 0; i < d->service_count; i++)
        reporter_free(d->reporters[i]);
    worker_free(d->closer);
    queue_free(d->queue);
    free(d->ensembles);
    free(d->watchers);
    free(d->reporters);
}

int daemon_run(const struct config *config, struct log *log) {
    struct daemon d = {.config = config, .log = log};
    int status;

    if (uv_loop_init(&d.loop) != 0) {
        log_line(log, LEVEL_ERROR, "cannot start: no event loop");
        return -1;
    }
    open_loop(&d);
    status = open_parts(&d);
    if (status == 0) {
        start_parts(&d);
    } else {
        log_line(log, LEVEL_ERROR, "cannot start: out of memory");
        close_watchers(&d);
        close_ensembles(&d);
        close_loop(&d);
    }
    uv_run(&d.loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&d.end_timer, NULL);
    uv_run(&d.loop, UV_RUN_DEFAULT);
    uv_loop_close(&d.loop);
    free_parts(&d);
    return status;
}
