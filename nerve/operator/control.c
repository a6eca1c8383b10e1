/* control.c - what operators ask for over the control socket
 *
 * A request that changes something is answered when ZooKeeper has confirmed
 * the change and the file has it. Until then, and while a request waits, all
 * of them are looked at a few times a second.
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <uv.h>

#include "csrc/base/clock.h"
#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/model.h"
#include "nerve/config/value.h"
#include "nerve/log.h"
#include "nerve/operator/command.h"
#include "nerve/operator/control.h"
#include "nerve/operator/duration.h"
#include "nerve/operator/holds.h"
#include "nerve/operator/socket.h"
#include "nerve/operator/status.h"
#include "nerve/register/reporter.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"

/* <asked>: the request has come, <length> bytes, or NULL: it is longer than
 * CONTROL_LINE_MAX. <gone>: the other side has hung up, or all was said after
 * control_client_end(); control_client_close() must follow. */
struct control_client_env {
    uv_loop_t *loop; /* borrowed */
    void (*asked)(void *arg, const char *line, size_t length);
    void (*gone)(void *arg);
    void *arg;
};

struct control_client {
    struct control_client_env env;
    uv_pipe_t pipe;
    char user[64];
    char line[CONTROL_LINE_MAX];
    size_t length;
    size_t writes; /* under way */
    bool asked;    /* its request has come */
    bool ending;   /* all was said */
    bool closed;   /* nobody waits for it any more */
};

/* A line on its way. */
struct writing {
    uv_write_t request;
    char *text; /* owned */
};

/* What follows the request is of no interest, but the end is. */
static void on_room(uv_handle_t *pipe, size_t suggested, uv_buf_t *buffer) {
    struct control_client *c = pipe->data;

    (void)suggested;
    if (c->asked)
        c->length = 0;
    *buffer = uv_buf_init(c->line + c->length,
                          (unsigned int)(sizeof(c->line) - c->length));
}

static void take_request(struct control_client *c) {
    const char *end = memchr(c->line, '\n', c->length);

    if (!end && c->length < sizeof(c->line))
        return;
    c->asked = true;
    c->env.asked(c->env.arg, end ? c->line : NULL,
                 end ? (size_t)(end - c->line) : 0);
}

static void on_read(uv_stream_t *pipe, ssize_t count, const uv_buf_t *buffer) {
    struct control_client *c = pipe->data;

    (void)buffer;
    if (count < 0) {
        c->env.gone(c->env.arg);
        return;
    }
    c->length += (size_t)count;
    if (!c->asked)
        take_request(c);
}

static void on_client_closed(uv_handle_t *pipe) { free(pipe->data); }

/* Closes the connection at once and frees <c>, in a later turn of the loop. */
static void control_client_close(struct control_client *c) {
    c->closed = true;
    uv_close((uv_handle_t *)&c->pipe, on_client_closed);
}

/* Accepts a connection to <server>. Returns it, owned by the caller, or NULL;
 * then it is closed. */
static struct control_client *
control_client_accept(uv_stream_t *server,
                      const struct control_client_env *env) {
    struct control_client *c = calloc(1, sizeof(*c));
    uid_t uid;
    int fd;

    if (!c)
        return NULL;
    c->env = *env;
    uv_pipe_init(env->loop, &c->pipe, 0);
    c->pipe.data = c;
    if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0 ||
        uv_fileno((uv_handle_t *)&c->pipe, &fd) != 0 ||
        control_socket_peer(fd, &uid) != 0) {
        control_client_close(c);
        return NULL;
    }
    control_socket_user(uid, c->user, sizeof(c->user));
    uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read);
    return c;
}

/* Returns the user who is connected, borrowed. */
static const char *control_client_user(const struct control_client *c) {
    return c->user;
}

static void on_written(uv_write_t *request, int status) {
    struct writing *w = request->data;
    struct control_client *c = request->handle->data;

    free(w->text);
    free(w);
    c->writes--;
    if (!c->closed && (status != 0 || (c->ending && c->writes == 0)))
        c->env.gone(c->env.arg);
}

/* Sends <line>, which it takes. Without memory nothing is sent. */
static void control_client_send(struct control_client *c, json_t *line) {
    struct writing *w = calloc(1, sizeof(*w));
    char *json = line ? json_dumps(line, JSON_COMPACT) : NULL;
    struct text text = {0};
    uv_buf_t buffer;

    json_decref(line);
    if (json)
        text_printf(&text, "%s\n", json);
    free(json);
    buffer.len = text.length;
    buffer.base = text_take(&text);
    if (!w || !buffer.base || !buffer.len) {
        free(buffer.base);
        free(w);
        return;
    }
    w->text = buffer.base;
    w->request.data = w;
    if (uv_write(&w->request, (uv_stream_t *)&c->pipe, &buffer, 1,
                 on_written) == 0) {
        c->writes++;
        return;
    }
    free(w->text);
    free(w);
}

/* Closes the connection once everything is written. */
static void control_client_end(struct control_client *c) {
    c->ending = true;
    if (c->writes == 0)
        c->env.gone(c->env.arg);
}

#define PATIENCE_MS 10000 /* for the request, and for taking the answer */

struct control_request {
    struct control_env env;
    struct control_client *client; /* owned */
    struct control_command command;
    bool waits;          /* for something, then the answer comes */
    bool gone;           /* nobody is there any more */
    uint32_t write;      /* its number, of the store; 0: none */
    uint64_t since_ms;   /* of what is waited for */
    uint64_t trouble_ms; /* since when there is trouble; 0: there is none */
};

static void answer(struct control_request *r, enum control_verdict verdict,
                   const char *text, json_t *more) {
    const char *service = r->command.service;
    json_t *line = json_pack("{s:s}", "result", control_verdict_name(verdict));

    if (text && service)
        json_object_set_new(line, "message",
                            json_sprintf("%s: %s", service, text));
    else if (text)
        json_object_set_new(line, "message", json_string(text));
    if (more)
        json_object_update(line, more);
    json_decref(more);
    r->waits = false;
    r->since_ms = uv_now(r->env.loop);
    control_client_send(r->client, line);
    control_client_end(r->client);
}

static void refuse(struct control_request *r, const char *why) {
    answer(r, CONTROL_FAILED, why, NULL);
}

static void add_service(struct control_view *view, const struct service *s) {
    const struct reporter *reporter = s->reporter;

    view->settled = view->settled && reporter_is_settled(reporter);
    if (!view->path)
        view->path = reporter_path(reporter);
    if (!s->watcher)
        return;
    view->configured = true;
    view->connected = reporter_is_connected(reporter);
    view->refusal = service_trouble(s);
    view->state = watcher_state(s->watcher);
}

/* What is known of the service; while it moves to another registration it runs
 * twice. */
static struct control_view look(struct control_request *r) {
    uint64_t now = uv_now(r->env.loop);
    const struct hold *hold =
        holds_find(&r->env.store->holds, r->command.service);
    struct control_view view = {
        .settled = true, .disabled = hold && hold->out, .kept = HOLD_KEPT};
    const struct service *s;
    int error;

    for (size_t i = 0; (s = services_at(r->env.services, i)); i++)
        if (strcmp(s->config->name, r->command.service) == 0)
            add_service(&view, s);
    if (r->write)
        view.kept = holds_file_kept(r->env.store, r->write, &error);
    if (view.kept == HOLD_NOT_KEPT)
        view.kept_error = strerror(error);
    if (!control_is_troubled(&view))
        r->trouble_ms = 0;
    else if (!r->trouble_ms)
        r->trouble_ms = now;
    view.troubled_ms = r->trouble_ms ? (int64_t)(now - r->trouble_ms) : 0;
    view.waited_ms = (int64_t)(now - r->since_ms);
    return view;
}

/* The reason and the times of a hold that begins now. Returns 0, or -1 without
 * memory. */
static int fill_hold(struct hold *hold, const struct control_request *r) {
    const struct control_command *command = &r->command;

    hold->out = command->kind == CONTROL_DISABLE;
    hold->weight = hold->out ? 0 : command->weight;
    hold->drain_ms = command->drain_ms;
    hold->since_ms = clock_wall_ms();
    hold->until_ms = command->for_ms ? hold->since_ms + command->for_ms : 0;
    hold->ends_ms = command->for_ms ? clock_boot_ms() + command->for_ms : 0;
    hold->service = strdup(command->service);
    hold->author = strdup(control_client_user(r->client));
    if (command->reason)
        hold->reason = strdup(command->reason);
    return hold->service && hold->author && (!command->reason || hold->reason)
               ? 0
               : -1;
}

/* Carries out what the holds say now, and waits for that. */
static void apply(struct control_request *r) {
    r->write = holds_file_write(r->env.store);
    services_use_holds(r->env.services);
    r->waits = true;
}

static void begin_hold(struct control_request *r) {
    const struct control_command *command = &r->command;
    const struct hold *before =
        holds_find(&r->env.store->holds, command->service);
    struct hold hold = {0};

    if (command->kind == CONTROL_WEIGHT && before && before->out) {
        refuse(r, "it is disabled; enable it first");
        return;
    }
    if (fill_hold(&hold, r) != 0 ||
        holds_put(&r->env.store->holds, &hold) != 0) {
        hold_close(&hold);
        refuse(r, "out of memory");
        return;
    }
    if (command->kind == CONTROL_DISABLE)
        log_line(r->env.log, LEVEL_WARNING, "%s: disabled by %s: %s",
                 command->service, control_client_user(r->client),
                 command->reason);
    else
        log_line(r->env.log, LEVEL_INFO, "%s: weight %lld by %s",
                 command->service, (long long)command->weight,
                 control_client_user(r->client));
    apply(r);
}

static void end_hold(struct control_request *r) {
    const char *service = r->command.service;

    if (!holds_end(&r->env.store->holds, service)) {
        r->waits = true;
        return;
    }
    log_line(r->env.log, LEVEL_INFO, "%s: enabled by %s", service,
             control_client_user(r->client));
    apply(r);
}

/* Says that there is no such service, and which one may be meant. */
static void refuse_unknown(struct control_request *r) {
    const char *wanted = r->command.service, *meant = NULL;
    size_t best = nearest_limit(wanted) + 1, distance;
    const struct service *s;
    char text[400];

    for (size_t i = 0; (s = services_at(r->env.services, i)); i++) {
        distance = nearest_distance(s->config->name, wanted);
        if (!s->watcher || distance >= best)
            continue;
        best = distance;
        meant = s->config->name;
    }
    snprintf(text, sizeof(text), "no such service%s%.300s%s",
             meant ? "; did you mean \"" : "", meant ? meant : "",
             meant ? "\"?" : "");
    refuse(r, text);
}

/* Gives a report to all running services of that name, and answers at once. */
static void take_report(struct control_request *r) {
    bool passes = r->command.kind == CONTROL_PASS;
    const char *reason = r->command.reason;
    const struct check_config *check = NULL, *found;
    const struct service *s;
    char text[120], ttl[40];

    for (size_t i = 0; (s = services_at(r->env.services, i)); i++) {
        if (!s->watcher || strcmp(s->config->name, r->command.service) != 0)
            continue;
        found = config_push_check(s->config);
        if (!found)
            continue;
        check = found;
        watcher_hear(s->watcher, passes ? PUSH_PASS : PUSH_FAIL, reason);
    }
    if (!check) {
        refuse(r, "it has no push check; add {\"type\": \"push\", \"ttl\": "
                  "30} to its checks");
        return;
    }
    log_line(r->env.log, LEVEL_DEBUG, "%s: says that it %s, by %s%s%s",
             r->command.service, passes ? "is well" : "fails",
             control_client_user(r->client), reason ? ": " : "",
             reason ? reason : "");
    duration_write(check->ttl_ms, ttl, sizeof(ttl));
    snprintf(text, sizeof(text),
             passes ? "passed; the next report is due within %s"
                    : "failed, until it is passed",
             ttl);
    answer(r, CONTROL_DONE, text, NULL);
}

static void carry_out(struct control_request *r) {
    const struct holds *holds = &r->env.store->holds;
    const struct services *services = r->env.services;
    const char *service = r->command.service;

    if (service && !look(r).configured &&
        (r->command.kind != CONTROL_ENABLE || !holds_find(holds, service))) {
        refuse_unknown(r);
        return;
    }
    switch (r->command.kind) {
    case CONTROL_STATUS:
        answer(r, CONTROL_DONE, NULL,
               json_pack("{s:o}", "status", status_json(services, holds)));
        break;
    case CONTROL_DUMP:
        answer(r, CONTROL_DONE, NULL,
               json_pack("{s:o}", "dump", status_dump(services, holds)));
        break;
    case CONTROL_DISABLE:
    case CONTROL_WEIGHT:
        begin_hold(r);
        break;
    case CONTROL_ENABLE:
        end_hold(r);
        break;
    case CONTROL_WAIT:
        r->waits = true;
        break;
    case CONTROL_PASS:
    case CONTROL_FAIL:
        take_report(r);
        break;
    }
}

static void on_asked(void *arg, const char *line, size_t length) {
    struct control_request *r = arg;
    struct error err = {0};

    r->since_ms = uv_now(r->env.loop);
    if (!line)
        error_set(&err, "a request has at most %d bytes", CONTROL_LINE_MAX);
    if (!line || control_command_read(&r->command, line, length, &err) != 0) {
        control_command_close(&r->command);
        refuse(r, err.text);
        return;
    }
    carry_out(r);
}

static void on_gone(void *arg) {
    struct control_request *r = arg;

    r->gone = true;
}

/* Accepts a connection to <server>; keeps what is in <env> borrowed. Returns
 * the request that is to come over it, owned by the caller, or NULL; then it
 * is closed. */
static struct control_request *
control_request_new(uv_stream_t *server, const struct control_env *env) {
    struct control_request *r = calloc(1, sizeof(*r));
    struct control_client_env client = {
        .loop = env->loop, .asked = on_asked, .gone = on_gone, .arg = r};

    if (r)
        r->client = control_client_accept(server, &client);
    if (!r || !r->client) {
        free(r);
        return NULL;
    }
    r->env = *env;
    r->since_ms = uv_now(env->loop);
    return r;
}

/* Answers <r> if there is an answer. Returns whether <r> is still needed: else
 * the other side has its answer, or is gone. */
static bool control_request_advance(struct control_request *r) {
    enum control_verdict verdict;
    struct control_view view;
    char text[600];

    if (r->gone)
        return false;
    if (!r->waits)
        return uv_now(r->env.loop) - r->since_ms < PATIENCE_MS;
    view = look(r);
    verdict = control_judge(&r->command, &view);
    if (verdict == CONTROL_GO_ON)
        return true;
    control_say(&r->command, &view, verdict, text, sizeof(text));
    answer(r, verdict, text, NULL);
    return true;
}

/* Ends and frees <r>, in a later turn of the loop; what it has changed stays
 * so. */
static void control_request_close(struct control_request *r) {
    control_client_close(r->client);
    control_command_close(&r->command);
    free(r);
}

#define REQUESTS_MAX 64
#define TICK_MS      50  /* while there are requests */
#define IDLE_MS      500 /* for the ends of holds */
#define BACKLOG      64

/* Where it listens. */
struct listener {
    uv_pipe_t pipe;
    struct control *control; /* borrowed */
    char *path;              /* owned */
    int lock;                /* owned */
};

struct control {
    struct control_env env;
    uv_timer_t timer;
    struct listener *listener;                      /* owned, or NULL */
    struct control_request *requests[REQUESTS_MAX]; /* owned */
    size_t count;
};

static void end_expired(struct control *c) {
    struct holds_file *store = c->env.store;
    const struct hold *hold;
    bool ended = false;

    while ((hold = holds_expired(&store->holds, clock_wall_ms(),
                                 clock_boot_ms()))) {
        log_line(c->env.log, LEVEL_INFO, "%s: the hold of %s is over",
                 hold->service, hold->author);
        holds_end(&store->holds, hold->service);
        ended = true;
    }
    if (!ended)
        return;
    holds_file_write(store);
    services_use_holds(c->env.services);
}

static void on_tick(uv_timer_t *timer) {
    struct control *c = timer->data;
    size_t kept = 0;

    end_expired(c);
    for (size_t i = 0; i < c->count; i++) {
        if (control_request_advance(c->requests[i]))
            c->requests[kept++] = c->requests[i];
        else
            control_request_close(c->requests[i]);
    }
    c->count = kept;
    uv_timer_set_repeat(timer, kept ? TICK_MS : IDLE_MS);
}

struct control *control_new(const struct control_env *env) {
    struct control *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->env = *env;
    uv_timer_init(env->loop, &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_tick, IDLE_MS, IDLE_MS);
    return c;
}

/* Ends the oldest waiting request, so that waiting clients cannot lock others
 * out. */
static void make_room(struct control *c) {
    struct control_request *oldest = c->requests[0];
    char text[120];

    snprintf(text, sizeof(text),
             "gave way to a newer request, for at most %d can wait at once; "
             "what it has changed stays so",
             REQUESTS_MAX);
    if (oldest->waits)
        refuse(oldest, text);
    control_request_close(oldest);
    c->count--;
    memmove(c->requests, c->requests + 1, c->count * sizeof(*c->requests));
}

/* A new request does not delay the next look at the others. */
static void on_connection(uv_stream_t *pipe, int status) {
    struct control *c = ((struct listener *)pipe->data)->control;
    struct control_request *request;

    if (status != 0)
        return;
    request = control_request_new(pipe, &c->env);
    if (request && c->count == REQUESTS_MAX)
        make_room(c);
    if (request)
        c->requests[c->count++] = request;
    if (uv_timer_get_repeat(&c->timer) != TICK_MS)
        uv_timer_start(&c->timer, on_tick, TICK_MS, TICK_MS);
}

static void on_listener_closed(uv_handle_t *pipe) {
    struct listener *l = pipe->data;

    free(l->path);
    free(l);
}

/* Ends <l> and removes its socket. NULL is allowed. */
static void close_listener(struct listener *l) {
    if (!l)
        return;
    unlink(l->path);
    close(l->lock);
    uv_close((uv_handle_t *)&l->pipe, on_listener_closed);
}

/* Returns a listener on <path>, or NULL with <err>. */
static struct listener *open_listener(struct control *c, const char *path,
                                      struct error *err) {
    struct listener *l = calloc(1, sizeof(*l));
    struct control_socket socket;
    int status;

    if (l)
        l->path = strdup(path);
    if (!l || !l->path || control_socket_open(&socket, path, err) != 0) {
        error_set(err, "control_socket: out of memory");
        if (l)
            free(l->path);
        free(l);
        return NULL;
    }
    l->control = c;
    l->lock = socket.lock;
    uv_pipe_init(c->env.loop, &l->pipe, 0);
    l->pipe.data = l;
    status = uv_pipe_open(&l->pipe, socket.fd);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&l->pipe, BACKLOG, on_connection);
    if (status == 0)
        return l;
    error_set(err, "control_socket: %s: %s", path, uv_strerror(status));
    close_listener(l);
    return NULL;
}

static bool is_same(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* A socket file that was removed is useless. It is closed before a new one is
 * opened, because closing it later would drop the new one's lock. */
static void drop_lost_listener(struct control *c) {
    if (!c->listener || access(c->listener->path, F_OK) == 0)
        return;
    close_listener(c->listener);
    c->listener = NULL;
}

int control_use(struct control *c, const char *socket, const char *holds_path,
                struct error *err) {
    bool rewrites = !is_same(holds_path, c->env.store->path);
    struct listener *l = NULL;
    bool moves;

    drop_lost_listener(c);
    moves = !is_same(socket, c->listener ? c->listener->path : NULL);
    if (moves && socket && !(l = open_listener(c, socket, err)))
        return -1;
    if (holds_file_use(c->env.store, holds_path, err) != 0) {
        close_listener(l);
        return -1;
    }
    if (rewrites)
        holds_file_write(c->env.store);
    if (moves) {
        close_listener(c->listener);
        c->listener = l;
    }
    return 0;
}

int control_begin(struct control *c, const char *socket, const char *holds_path,
                  const char *handed, struct error *err) {
    struct holds_file *store = c->env.store;

    holds_file_begin(store);
    if (handed && holds_decode(&store->holds, handed, strlen(handed), err) != 0)
        return -1;
    if (holds_file_use(store, holds_path, err) != 0 ||
        (!handed && holds_file_read(store, err) != 0) ||
        control_use(c, socket, holds_path, err) != 0)
        return -1;
    if (handed)
        holds_file_write(store);
    return 0;
}

static void on_timer_closed(uv_handle_t *timer) { free(timer->data); }

void control_close(struct control *c) {
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        control_request_close(c->requests[i]);
    close_listener(c->listener);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}
