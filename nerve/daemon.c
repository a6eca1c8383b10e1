/* daemon.c - connects all parts of nerve, and runs until a signal ends it
 *
 * The end has three steps, each with a deadline, because the sender of the
 * signal waits:
 *
 *   leaving   the checks stop and the registrations are removed
 *   closing   the sessions are closed, on the worker
 *   over      the loop runs out of handles
 *
 * Only queue_wake() and read_config() are called on other threads.
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uv.h>

#include "csrc/base/error.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "csrc/zookeeper/session.h"
#include "nerve/checks/check.h"
#include "nerve/checks/child.h"
#include "nerve/checks/curl_loop.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"
#include "nerve/daemon.h"
#include "nerve/log.h"
#include "nerve/observe/metrics.h"
#include "nerve/operator/control.h"
#include "nerve/operator/holds.h"
#include "nerve/options.h"
#include "nerve/process/handover.h"
#include "nerve/process/heartbeat.h"
#include "nerve/process/systemd.h"
#include "nerve/process/upgrade.h"
#include "nerve/process/watchdog.h"
#include "nerve/services/health.h"
#include "nerve/services/schedule.h"
#include "nerve/services/services.h"
#include "nerve/signals.h"

#define QUEUE_LIMIT 100000
#define LIBRARY_MS  60000 /* between errors of the client library */
#define END_TICK_MS 10
#define LEAVING_MS  1000 /* then the servers must end the registrations */
#define CLOSING_MS  1600 /* after the signal; then the process just ends */
#define FLUSH_MS    100
#define BEAT_MS     10000

/* The most that systemd gives. Some container runtimes give a thousand times as
 * many; then a program that looks at each possible descriptor takes minutes. */
#define DESCRIPTORS_MAX 524288

/* Reads the configuration again without blocking the loop. */
struct reload { /* zeroed, except for the borrowed members at the top */
    uv_loop_t *loop;
    const char *path;
    const char *instance_id; /* or NULL: the file's */
    void (*done)(void *arg, struct config *config, const struct notes *notes,
                 const char *problem);
    void *arg;
    uv_work_t work;
    struct config *config; /* owned */
    struct notes notes;    /* owned; of a rejected configuration */
    struct error err;
    bool reading;
    bool again; /* somebody asked again during the read */
    bool closed;
};

static void reload_start(struct reload *r);

/* Runs in a thread of libuv. While <reading>, only it touches <config>, <notes>
 * and <err>. */
static void read_config(uv_work_t *work) {
    struct reload *r = work->data;

    r->config = config_load(r->path, r->instance_id, &r->notes, &r->err);
}

static void on_read(uv_work_t *work, int status) {
    struct reload *r = work->data;
    struct config *config = r->config;

    r->config = NULL;
    r->reading = false;
    if (status == 0 && !r->closed && !r->again) {
        r->done(r->arg, config, &r->notes, r->err.text);
        notes_close(&r->notes);
        return;
    }
    notes_close(&r->notes);
    config_free(config);
    if (!r->closed)
        reload_start(r);
}

/* Reads the configuration and calls <done>. If somebody asks again during the
 * read, reads it once more. */
static void reload_start(struct reload *r) {
    r->again = r->reading;
    if (r->reading || r->closed)
        return;
    r->reading = true;
    r->work.data = r;
    memset(&r->err, 0, sizeof(r->err));
    uv_queue_work(r->loop, &r->work, read_config, on_read);
}

/* Never calls <done> again. The loop still waits for a read in progress. */
static void reload_close(struct reload *r) {
    r->closed = true;
    if (r->reading)
        uv_cancel((uv_req_t *)&r->work);
}

struct daemon {
    struct log *log; /* borrowed */
    uv_loop_t loop;
    uv_async_t wake;
    uv_signal_t signals[SIGNALS_COUNT];
    uv_work_t first_work; /* see start_threads() */
    uv_timer_t end_timer;
    uv_timer_t notify_timer;
    uint64_t end_since_ms;       /* when the signal came; 0: none */
    uint64_t library_next_ms[2]; /* next line at info; next one with a cause */
    bool closed;                 /* the loop runs out of handles */
    struct queue *queue;         /* owned */
    struct worker *closer;     /* owned; closes handles, which takes seconds */
    struct worker *keeper;     /* owned; writes the file of holds */
    struct curl_loop *curl;    /* owned */
    struct rlimit descriptors; /* the limit that nerve started with */
    struct children *children; /* owned */
    struct lateness late;      /* of all checks */
    struct untried untried;    /* of all checks */
    struct holds_file holds;
    struct services *services;   /* owned */
    struct control *control;     /* owned */
    struct heartbeat *heartbeat; /* owned */
    struct watchdog *watchdog;   /* owned, or NULL */
    struct metrics *metrics;     /* owned */
    struct reload reload;
    struct upgrade upgrade;
};

/* Any thread. */
static void wake_loop(void *arg) { uv_async_send(arg); }

/* Logs a line of the client library, which writes many while a server is down.
 * One line a minute at info is enough to see why, and one with its likely
 * cause. */
static void log_library(struct daemon *d, const struct event *ev) {
    uint64_t now = uv_now(&d->loop);
    enum event_level level = LEVEL_DEBUG;
    const char *text = ev->data ? ev->data : "";
    uint64_t *next = &d->library_next_ms[ev->has_cause];

    if (ev->level <= LEVEL_WARNING && now >= *next) {
        level = LEVEL_INFO;
        *next = now + LIBRARY_MS;
    }
    if (ev->count > 0)
        log_line(d->log, level, "zookeeper: %s (%zu line%s dropped before)",
                 text, ev->count, ev->count == 1 ? "" : "s");
    else
        log_line(d->log, level, "zookeeper: %s", text);
}

static void on_wake(uv_async_t *wake) {
    struct daemon *d = wake->data;
    struct event *ev;

    while ((ev = queue_pop(d->queue))) {
        if (ev->type == EVENT_LOG)
            log_library(d, ev);
        else if (ev->type == EVENT_JOB)
            holds_file_absorb(&d->holds, ev);
        services_absorb(d->services, ev);
        event_free(ev);
    }
}

/* Lets the loop run out of handles. The end timer keeps running, because a
 * query for names may hang, but does not keep the loop alive. */
static void close_loop(struct daemon *d) {
    d->closed = true;
    curl_loop_free(d->curl);
    d->curl = NULL;
    children_close(d->children);
    d->children = NULL;
    control_close(d->control);
    d->control = NULL;
    heartbeat_close(d->heartbeat);
    d->heartbeat = NULL;
    watchdog_close(d->watchdog);
    d->watchdog = NULL;
    metrics_close(d->metrics);
    d->metrics = NULL;
    if (d->queue)
        queue_set_wake(d->queue, NULL, NULL);
    uv_close((uv_handle_t *)&d->wake, NULL);
    uv_close((uv_handle_t *)&d->notify_timer, NULL);
    upgrade_close(&d->upgrade);
    uv_unref((uv_handle_t *)&d->end_timer);
    for (size_t i = 0; i < SIGNALS_COUNT; i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
}

/* Ends the process although threads hang in the client library or in a query
 * for names. */
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

    if (services_has_left(d->services) || elapsed >= LEAVING_MS)
        services_close(d->services);
    if (!services_is_closed(d->services))
        return;
    if (!d->closed && worker_pending(d->closer) == 0 &&
        worker_pending(d->keeper) == 0)
        close_loop(d);
    else if (elapsed >= CLOSING_MS)
        end_at_once(d);
}

/* Begins the end: stops all checks and removes all registrations. */
static void leave(struct daemon *d, int number) {
    log_line(d->log, LEVEL_INFO, "%s: removing the registrations",
             number == SIGTERM ? "SIGTERM" : "SIGINT");
    notify_stopping();
    d->end_since_ms = uv_now(&d->loop);
    reload_close(&d->reload);
    upgrade_stop(&d->upgrade);
    control_close(d->control);
    d->control = NULL;
    services_leave(d->services);
    uv_timer_start(&d->end_timer, on_end_tick, 0, END_TICK_MS);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct daemon *d = handle->data;

    if (d->end_since_ms)
        return;
    if (number != SIGTERM && number != SIGINT)
        notify_reloading();
    if (number == SIGHUP)
        reload_start(&d->reload);
    else if (number == SIGUSR2)
        upgrade_start(&d->upgrade);
    else
        leave(d, number);
}

static void use_heartbeat(struct daemon *d, struct config *config) {
    heartbeat_use(d->heartbeat, config->heartbeat_path);
    config->heartbeat_path = NULL;
}

/* After an upgrade nerve continues even without a part that it cannot make: its
 * registrations are worth more. */
static int open_control(struct daemon *d, const struct config *config,
                        const struct handover *from, struct error *err) {
    struct control_env env = {.loop = &d->loop,
                              .log = d->log,
                              .services = d->services,
                              .store = &d->holds};
    int status;

    d->control = control_new(&env);
    if (!d->control)
        return -1;
    status = control_begin(d->control, config->control_socket,
                           config->holds_path, from ? from->holds : NULL, err);
    if (status != 0 && from)
        log_line(d->log, LEVEL_ERROR, "%s", err->text);
    return from ? 0 : status;
}

static void refuse_config(struct daemon *d, const char *problem) {
    log_line(d->log, LEVEL_ERROR, "not reloaded, nothing is changed: %s",
             problem);
    metrics_reload(d->metrics, NULL);
}

static void log_notes(struct daemon *d, const struct notes *notes) {
    for (size_t i = 0; i < notes->count; i++)
        log_line(d->log, notes->list[i].level, "%s", notes->list[i].text);
}

static void use_config(struct daemon *d, struct config *config) {
    struct error err = {0};

    if (control_use(d->control, config->control_socket, config->holds_path,
                    &err) != 0) {
        refuse_config(d, err.text);
        return;
    }
    log_notes(d, &config->notes);
    if (services_apply(d->services, config, true) != 0) {
        refuse_config(d, "out of memory");
        return;
    }
    use_heartbeat(d, config);
    watchdog_use(d->watchdog, config->watchdog_s);
    metrics_reload(d->metrics, config);
    log_line(d->log, LEVEL_INFO, "reloaded as %s, %zu service%s",
             config->instance_id, config->service_count,
             config->service_count == 1 ? "" : "s");
}

static void on_reloaded(void *arg, struct config *config,
                        const struct notes *notes, const char *problem) {
    struct daemon *d = arg;

    if (config) {
        use_config(d, config);
    } else {
        refuse_config(d, problem);
        log_notes(d, notes);
    }
    config_free(config);
    notify_ready();
}

static void start_thread(uv_work_t *work) { (void)work; }

/* Starts libuv's threads now, while no signal may reach them. A signal that one
 * of them takes is lost by an exec, and the end of a program would interrupt
 * their system calls. */
static void start_threads(void *arg) {
    struct daemon *d = arg;

    uv_queue_work(&d->loop, &d->first_work, start_thread, NULL);
}

static void open_loop(struct daemon *d) {
    uv_async_init(&d->loop, &d->wake, on_wake);
    d->wake.data = d;
    uv_timer_init(&d->loop, &d->end_timer);
    d->end_timer.data = d;
    for (size_t i = 0; i < SIGNALS_COUNT; i++) {
        uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, signals_numbers[i]);
    }
    worker_without_signals(start_threads, d);
    signals_release();
    upgrade_open(&d->upgrade);
    notify_open(&d->loop, &d->notify_timer);
}

/* A thousand simultaneous checks need as many descriptors. Returns the old
 * limit. */
static struct rlimit raise_descriptor_limit(void) {
    struct rlimit before = {0}, raised;

    getrlimit(RLIMIT_NOFILE, &before);
    raised = before;
    raised.rlim_cur =
        raised.rlim_max < DESCRIPTORS_MAX ? raised.rlim_max : DESCRIPTORS_MAX;
    if (raised.rlim_cur > before.rlim_cur)
        setrlimit(RLIMIT_NOFILE, &raised);
    return before;
}

/* Makes all parts. Returns 0, or -1 with <err>, which is empty if there is no
 * memory. */
static int open_parts(struct daemon *d, struct config *config,
                      struct handover *from, struct error *err) {
    struct services_env env = {.check = {.loop = &d->loop}, .log = d->log};

    env.queue = d->queue = queue_new(QUEUE_LIMIT);
    env.worker = d->closer = worker_new();
    env.check.curl = d->curl = curl_loop_new(&d->loop);
    env.check.children = d->children = children_new(&d->loop, &d->descriptors);
    env.check.late = &d->late;
    env.check.untried = &d->untried;
    d->metrics = metrics_new(&d->loop, d->log, &d->late);
    if (!d->queue || !d->closer || !d->curl || !d->children || !d->metrics)
        return -1;
    env.check.statsd = metrics_statsd(d->metrics);
    queue_set_wake(d->queue, wake_loop, &d->wake);
    session_log_to(d->queue);
    d->holds.queue = d->queue;
    d->holds.worker = d->keeper = worker_new();
    if (!d->keeper)
        return -1;
    env.holds = &d->holds.holds;
    d->services = services_new(&env);
    if (!d->services || open_control(d, config, from, err) != 0)
        return -1;
    d->heartbeat = heartbeat_new(&d->loop, d->log, BEAT_MS);
    if (!d->heartbeat)
        return -1;
    use_heartbeat(d, config);
    d->watchdog = watchdog_new(&d->loop, d->log, config->watchdog_s);
    if (!d->watchdog)
        log_line(d->log, LEVEL_WARNING,
                 "watchdog: no thread for it; a loop that hangs is not "
                 "noticed");
    d->upgrade.services = d->services;
    d->upgrade.children = d->children;
    d->upgrade.descriptors = &d->descriptors;
    metrics_start(d->metrics, d->services, config);
    if (from && upgrade_restore(d->services, from) != 0)
        return -1;
    return services_apply(d->services, config, from != NULL);
}

/* Frees what the loop does not close. */
static void free_parts(struct daemon *d) {
    session_log_to(NULL);
    services_free(d->services);
    worker_free(d->closer);
    worker_free(d->keeper);
    holds_file_close(&d->holds);
    queue_free(d->queue);
}

int daemon_run(struct config *config, const struct options *options,
               struct handover *from, struct log *log) {
    struct daemon d = {.log = log,
                       .reload = {.path = options->config,
                                  .instance_id = options->instance_id},
                       .upgrade = {.log = log, .argv = options->argv}};
    struct error err = {0};
    int status;

    if (uv_loop_init(&d.loop) != 0) {
        log_line(log, LEVEL_ERROR, "cannot start: no event loop");
        handover_free(from);
        config_free(config);
        return -1;
    }
    d.descriptors = raise_descriptor_limit();
    d.reload.loop = d.upgrade.loop = &d.loop;
    d.reload.done = on_reloaded;
    d.reload.arg = &d;
    open_loop(&d);
    status = open_parts(&d, config, from, &err);
    handover_free(from);
    config_free(config);
    if (status == 0) {
        notify_ready();
    } else {
        error_set(&err, "out of memory");
        log_line(log, LEVEL_ERROR, "cannot start: %s", err.text);
        services_close(d.services);
        close_loop(&d);
    }
    uv_run(&d.loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&d.end_timer, NULL);
    uv_run(&d.loop, UV_RUN_DEFAULT);
    uv_loop_close(&d.loop);
    free_parts(&d);
    return status;
}
