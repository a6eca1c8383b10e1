/* control.c - what operators ask for over the control socket
 *
 * A request that changes something is answered when ZooKeeper has confirmed
 * the change and the file has it. Until then, and while a request waits, all
 * of them are looked at a few times a second.
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csrc/base/clock.h"
#include "csrc/base/error.h"
#include "nerve/log.h"
#include "nerve/operator/control.h"
#include "nerve/operator/control_request.h"
#include "nerve/operator/holds.h"
#include "nerve/operator/socket.h"
#include "nerve/services/services.h"

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
    struct hold_store *store = c->env.store;
    const struct hold *hold;
    bool ended = false;

    while ((hold = holds_expired(&store->holds, clock_wall_ms()))) {
        log_line(c->env.log, LEVEL_INFO, "%s: the hold of %s is over",
                 hold->service, hold->author);
        holds_end(&store->holds, hold->service);
        ended = true;
    }
    if (!ended)
        return;
    hold_store_write(store);
    roster_use_holds(c->env.roster);
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

/* Above the limit they are closed at once. The next look at them comes no later
 * for those that come before it. */
static void on_connection(uv_stream_t *pipe, int status) {
    struct control *c = ((struct listener *)pipe->data)->control;
    struct control_request *request;

    if (status != 0)
        return;
    request = control_request_new(pipe, &c->env);
    if (request && c->count < REQUESTS_MAX)
        c->requests[c->count++] = request;
    else if (request)
        control_request_close(request);
    if (uv_timer_get_repeat(&c->timer) != TICK_MS)
        uv_timer_start(&c->timer, on_tick, TICK_MS, TICK_MS);
}

static void on_closed(uv_handle_t *pipe) {
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
    uv_close((uv_handle_t *)&l->pipe, on_closed);
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

/* A socket that somebody has removed leads nobody here any more. It is closed
 * before another is opened there, for that would end the lock of the other. */
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
    if (hold_store_use(c->env.store, holds_path, err) != 0) {
        close_listener(l);
        return -1;
    }
    if (rewrites)
        hold_store_write(c->env.store);
    if (moves) {
        close_listener(c->listener);
        c->listener = l;
    }
    return 0;
}

int control_begin(struct control *c, const char *socket, const char *holds_path,
                  const char *handed, struct error *err) {
    struct hold_store *store = c->env.store;

    if (handed && holds_decode(&store->holds, handed, strlen(handed), err) != 0)
        return -1;
    if (hold_store_use(store, holds_path, err) != 0 ||
        (!handed && hold_store_read(store, err) != 0) ||
        control_use(c, socket, holds_path, err) != 0)
        return -1;
    if (handed)
        hold_store_write(store);
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
