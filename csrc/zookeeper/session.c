/* session.c - the life of a ZooKeeper session, over the handles it needs
 *
 * A session has at most one handle. Events carry the generation of the handle
 * that made them: what a replaced handle still says is stale. Generation 0
 * marks what the session says itself.
 *
 * Time moves in session_tick() alone:
 *
 *   no handle, <open_at> reached          open one
 *   handle not connected for a timeout    say "unknown", replace the handle
 *   handle lost too often in a timeout    replace it (its watches may not fit
 *                                         the one packet that restores them)
 *   lost more often without an answer,    drop it; open the next one later and
 *   or a server refuses all requests,     later
 *   or no server lets it in
 *
 * Requests wait for their turn, credentials do not. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/clock.h"
#include "csrc/base/error.h"
#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/zookeeper/client_log.h"
#include "csrc/zookeeper/credentials.h"
#include "csrc/zookeeper/handle.h"
#include "csrc/zookeeper/hosts.h"
#include "csrc/zookeeper/request.h"
#include "csrc/zookeeper/session.h"
#include "csrc/zookeeper/window.h"

struct session {
    struct queue *queue;   /* borrowed */
    struct worker *worker; /* borrowed */
    struct handle *handle; /* owned, or NULL */
    uint32_t number;
    uint32_t generation; /* of the handle opened last */
    char *hosts;         /* owned */
    int timeout_ms;      /* asked for */
    int negotiated_ms;   /* 0 before the first connection */
    size_t max_data;
    size_t max_in_flight;
    struct window window; /* of the connection: requests at once */
    int64_t wrote_us;     /* when a write was answered last */
    enum session_state state;
    struct session_identity identity; /* id 0: none to resume */
    bool handle_is_new;               /* it has not been connected yet */
    bool hosts_are_new;               /* the handle does not know them */
    bool is_silence_old;              /* the next handle goes on with it */
    unsigned int rounds;              /* of the handle, when it connected */
    bool connected_unread;            /* it is, and no event said so yet */
    int64_t open_at_ms;               /* when to open a handle next */
    int64_t backoff_ms;               /* after failing to open one */
    int64_t died_at_ms;               /* last expiry; long ago at first */
    int64_t silent_since_ms;          /* while not connected */
    int64_t losses_since_ms;
    int losses;                      /* of the connection, since then */
    int fruitless;                   /* of them, without an answer, in a row */
    int refusal;                     /* code that ends each connection, or 0 */
    int64_t pace_ms;                 /* to wait after the next such loss */
    bool has_paused;                 /* it has waited so, without an answer */
    struct request_list waiting;     /* owned */
    struct credentials *credentials; /* owned */
};

/* Pushes <code> as the answer of <r>, which no server answers. */
static void answer(struct session *s, struct request *r, int code) {
    struct event *ev = r->lost;

    r->lost = NULL;
    ev->session = s->number;
    ev->code = code;
    ev->time_us = clock_us();
    queue_push(s->queue, ev);
}

/* Answers waiting requests as lost. */
static void fail_waiting(struct session *s) {
    while (s->waiting.head) {
        struct request *r = s->waiting.head;

        request_remove(&s->waiting, r);
        answer(s, r, SESSION_LOST);
        request_free(r);
    }
}

/* Sends <r>, which it takes. Returns 0 or ZooKeeper's code, which is then the
 * answer. */
static int send(struct session *s, struct request *r) {
    int code;

    r->sent_us = clock_us();
    code = handle_send(s->handle, r);
    if (code != 0) {
        answer(s, r, code);
        request_free(r);
    }
    return code;
}

/* Sends waiting requests, up to the window. */
static void pump(struct session *s) {
    while (s->waiting.head && s->state == SESSION_CONNECTED &&
           handle_in_flight(s->handle) < s->window.size) {
        struct request *r = s->waiting.head;

        request_remove(&s->waiting, r);
        send(s, r);
    }
}

/* Sends a request whose reply nobody waits for. Returns whether the library
 * took it. */
static bool send_internal(struct session *s, enum event_op op, const char *path,
                          const char *data, size_t length) {
    struct request *r = request_new(op, 0, path, data, length);
    bool sent = r && handle_send(s->handle, r) == 0;

    if (!sent)
        request_free(r);
    return sent;
}

/* Sends what must precede the first request of a connection. Loop thread.
 *
 * Credentials that this handle was not given yet (the library repeats the
 * others), and a sync, because this server may be behind what the session has
 * seen. */
static void prepare(struct session *s) {
    struct credentials *c;

    for (c = s->credentials; c; c = c->next) {
        if (c->generation != s->generation &&
            send_internal(s, OP_ADD_AUTH, c->scheme, c->secret, c->length))
            c->generation = s->generation;
    }
    send_internal(s, OP_SYNC, "/", NULL, 0);
}

size_t session_pending(const struct session *s) {
    return s->waiting.count + (s->handle ? handle_in_flight(s->handle) : 0);
}

size_t session_room(const struct session *s) {
    size_t pending = session_pending(s);

    if (s->state != SESSION_CONNECTED || pending >= s->window.size)
        return 0;
    return s->window.size - pending;
}

/* Gives <r> its number, and returns that. */
static uint32_t give_number(struct session *s, struct request *r) {
    r->reply->request = r->lost->request = queue_number(s->queue);
    return (uint32_t)r->reply->request;
}

/* Numbers <r> and sends it, at once or when others were answered. Takes <r>;
 * NULL stands for no memory. Returns what session.h says of requests. */
static int64_t submit(struct session *s, struct request *r) {
    uint32_t number;

    if (!r)
        return SESSION_NO_MEMORY;
    if (s->state != SESSION_CONNECTED) {
        request_free(r);
        return SESSION_INVALID_STATE;
    }
    number = give_number(s, r);
    request_append(&s->waiting, r);
    pump(s);
    return number;
}

/* They do not wait: what waits is lost with the connection, and the library
 * repeats only what it was given. */
int64_t session_add_auth(struct session *s, const char *scheme,
                         const char *secret, size_t length) {
    struct credentials *c =
        credentials_add(&s->credentials, scheme, secret, length);
    struct request *r;
    uint32_t number;

    if (!c)
        return SESSION_NO_MEMORY;
    if (s->state != SESSION_CONNECTED)
        return 0;
    r = request_new(OP_ADD_AUTH, 0, scheme, secret, length);
    if (!r)
        return SESSION_NO_MEMORY;
    number = give_number(s, r);
    if (send(s, r) == 0)
        c->generation = s->generation;
    return number;
}

#define DEFAULT_TIMEOUT_MS 10000
#define DEFAULT_MAX_DATA   65536
#define DEFAULT_IN_FLIGHT  64

#define OPEN_BACKOFF_MS     1000 /* doubles up to */
#define OPEN_BACKOFF_MAX_MS 60000
#define AUTH_BACKOFF_MS     60000
#define DEATH_BACKOFF_MS    1000
#define PACE_MIN_MS         1000 /* doubles up to a part of a timeout: */
#define REFUSED_SHARE       3
#define TURNED_AWAY_SHARE   6 /* a server that starts turns clients away */
#define LOSSES_IN_A_TIMEOUT 5
#define ROUNDS_IN_VAIN      3 /* through all servers; then, after a pause, 1 */

/* Says <state> for the handle of <generation>, or for the session itself. */
static void say(struct session *s, enum session_state state,
                uint32_t generation) {
    struct event *ev = event_new(EVENT_SESSION);

    if (ev) {
        ev->session = s->number;
        ev->generation = generation;
        ev->state = state;
    }
    queue_push(s->queue, ev);
}

/* Gives the handle up: requests in flight are answered as lost and stay with
 * the handle, which frees them when the library can no longer use them. */
static void drop_handle(struct session *s) {
    struct request *r;

    for (r = handle_requests(s->handle); r; r = r->next)
        answer(s, r, SESSION_LOST);
    fail_waiting(s);
    handle_close(s->handle, s->worker);
    s->handle = NULL;
}

/* Returns 0, or errno; session_tick() tries again after the back-off. */
static int open_handle(struct session *s) {
    struct handle_options options = {
        .queue = s->queue,
        .worker = s->worker,
        .session = s->number,
        .generation = ++s->generation,
        .hosts = s->hosts,
        .timeout_ms = s->timeout_ms,
        .max_data = s->max_data,
        .resume = s->identity.id != 0 ? &s->identity : NULL,
    };
    int64_t now = clock_ms();
    int reason;

    s->handle = handle_open(&options);
    reason = s->handle ? 0 : errno;
    s->handle_is_new = true;
    s->hosts_are_new = false;
    s->rounds = 0;
    s->losses = 0;
    if (!s->is_silence_old)
        s->silent_since_ms = now;
    if (s->handle)
        s->is_silence_old = false;
    if (reason == 0) {
        s->backoff_ms = OPEN_BACKOFF_MS;
    } else {
        s->open_at_ms = now + s->backoff_ms;
        s->backoff_ms = s->backoff_ms * 2 > OPEN_BACKOFF_MAX_MS
                            ? OPEN_BACKOFF_MAX_MS
                            : s->backoff_ms * 2;
    }
    if (reason == EAGAIN && s->state != SESSION_NO_THREADS) {
        s->state = SESSION_NO_THREADS;
        say(s, SESSION_NO_THREADS, 0);
    } else if (reason == 0 && s->state == SESSION_NO_THREADS) {
        s->state = SESSION_CONNECTING;
    }
    return reason;
}

/* The next handle begins with another server: one that hangs takes two thirds
 * of a timeout, and no handle may get beyond the second. */
static void replace_handle(struct session *s) {
    drop_handle(s);
    hosts_rotate(s->hosts);
    open_handle(s);
}

static void on_connected(struct session *s, struct event *ev) {
    struct session_identity now = handle_identity(s->handle);

    ev->link = LINK_SAME_HANDLE;
    if (now.id != s->identity.id)
        ev->link = LINK_NEW_SESSION;
    else if (s->handle_is_new)
        ev->link = LINK_NEW_HANDLE;
    s->identity = now;
    s->negotiated_ms = handle_timeout(s->handle);
    ev->timeout_ms = s->negotiated_ms;
    ev->client_id = now.id;
    s->window = window_new(s->max_in_flight);
    prepare(s);
    s->rounds = handle_rounds(s->handle);
    s->handle_is_new = false;
}

static int patience(const struct session *s) {
    return s->negotiated_ms > 0 ? s->negotiated_ms : s->timeout_ms;
}

/* Returns how long to wait for the next connection, <max> at most, and doubles
 * that for the one after it; the session is to live on meanwhile. */
static int64_t next_pace(struct session *s, int64_t max) {
    int64_t wait = s->pace_ms < max ? s->pace_ms : max;

    s->has_paused = true;
    s->pace_ms = wait * 2;
    return wait;
}

/* Notes a server's answer. Some servers accept credentials and then refuse all
 * requests. */
static void note_answer(struct session *s, const struct event *ev) {
    if (ev->code == SESSION_WANTS_AUTH || ev->code == SESSION_AUTH_REFUSED) {
        s->refusal = ev->code;
        log_lines_explain();
    } else if (ev->op != OP_ADD_AUTH &&
               (ev->code == SESSION_OK || ev->code < SESSION_ANSWERS)) {
        s->refusal = 0;
        s->fruitless = 0;
        s->pace_ms = PACE_MIN_MS;
        s->has_paused = false;
    }
}

/* Gives the hosts, which are other ones, to a handle that is not connected. It
 * has been silent for as long as the one before. */
static void use_new_hosts(struct session *s) {
    if (!handle_abandon(s->handle))
        return;
    drop_handle(s);
    s->is_silence_old = true;
    open_handle(s);
}

/* Gives up a handle that leads to nothing, and waits for <max> at most before
 * the next one. */
static void pause_connecting(struct session *s, int64_t max) {
    if (!handle_abandon(s->handle))
        return;
    drop_handle(s);
    hosts_rotate(s->hosts);
    s->open_at_ms = clock_ms() + next_pace(s, max);
    s->is_silence_old = true;
}

/* The library connects again at once, and as often as it is let in. If that
 * does not help, the next handle waits. */
static bool is_in_vain(const struct session *s) {
    return s->refusal != 0 || s->fruitless > LOSSES_IN_A_TIMEOUT;
}

/* Servers that cannot be reached, or end each connection before there is a
 * session: the library tells nobody, and tries again many times a second. */
static bool is_turned_away(const struct session *s) {
    unsigned int most = s->has_paused ? 1 : ROUNDS_IN_VAIN;

    return handle_rounds(s->handle) - s->rounds >= most;
}

static void on_loss(struct session *s, struct event *ev) {
    int64_t now = clock_ms();

    ev->code = s->refusal;
    s->fruitless++;
    s->silent_since_ms = now;
    if (s->losses == 0 || now - s->losses_since_ms > patience(s)) {
        s->losses = 0;
        s->losses_since_ms = now;
    }
    s->losses++;
    fail_waiting(s);
    if (is_in_vain(s)) {
        pause_connecting(s, patience(s) / REFUSED_SHARE);
    } else if (s->hosts_are_new) {
        use_new_hosts(s);
    } else if (s->losses >= LOSSES_IN_A_TIMEOUT && handle_abandon(s->handle)) {
        replace_handle(s);
    }
}

/* A connected handle has pushed an event. If that event is not read within
 * another timeout, there was no memory for it: push it again. */
static void on_silence(struct session *s) {
    s->silent_since_ms = clock_ms();
    if (!handle_abandon(s->handle)) {
        if (s->connected_unread)
            say(s, SESSION_CONNECTED, s->generation);
        s->connected_unread = true;
        return;
    }
    if (s->state != SESSION_UNKNOWN) {
        s->state = SESSION_UNKNOWN;
        say(s, SESSION_UNKNOWN, 0);
    }
    if (is_turned_away(s))
        pause_connecting(s, patience(s) / TURNED_AWAY_SHARE);
    else
        replace_handle(s);
}

/* A server answers again, so the next session is opened at once; but not more
 * than one a second, should they all expire. */
static void on_death(struct session *s, enum session_state state) {
    int64_t now = clock_ms();

    drop_handle(s);
    memset(&s->identity, 0, sizeof(s->identity));
    s->open_at_ms = s->died_at_ms + DEATH_BACKOFF_MS;
    if (state == SESSION_AUTH_FAILED)
        s->open_at_ms = now + AUTH_BACKOFF_MS;
    s->died_at_ms = now;
    session_tick(s);
}

static void absorb_session(struct session *s, struct event *ev) {
    s->state = ev->state;
    s->connected_unread = false;
    if (ev->state == SESSION_CONNECTED)
        on_connected(s, ev);
    else if (ev->state == SESSION_CONNECTING)
        on_loss(s, ev);
    else
        on_death(s, ev->state);
}

/* A write takes as long as the ensemble's disks, and so does a read of the same
 * session that waits behind it: neither says how much the server has to do. */
static void note_pace(struct session *s, const struct event *ev) {
    bool is_read =
        ev->op == OP_GET || ev->op == OP_GET_CHILDREN || ev->op == OP_EXISTS;
    bool is_write =
        ev->op == OP_CREATE || ev->op == OP_SET || ev->op == OP_DELETE;

    if (is_write)
        s->wrote_us = ev->time_us;
    else if (is_read && ev->code != SESSION_LOST &&
             ev->origin->sent_us >= s->wrote_us)
        window_answered(&s->window, ev->origin->sent_us, ev->time_us,
                        patience(s));
}

/* Returns whether somebody waits for the reply. */
static bool absorb_reply(struct session *s, struct event *ev) {
    note_pace(s, ev);
    handle_finish(s->handle, ev->origin);
    ev->origin = NULL;
    note_answer(s, ev);
    pump(s);
    return ev->request != 0;
}

bool session_absorb(struct session *s, struct event *ev) {
    if (ev->generation == 0)
        return ev->type != EVENT_REPLY || ev->request != 0;
    if (!s->handle || ev->generation != s->generation)
        return false;
    if (ev->type == EVENT_SESSION)
        absorb_session(s, ev);
    else if (ev->type == EVENT_REPLY)
        return absorb_reply(s, ev);
    return true;
}

void session_tick(struct session *s) {
    int64_t now = clock_ms();

    if (!s->handle) {
        if (now >= s->open_at_ms)
            open_handle(s);
        return;
    }
    if (s->state == SESSION_CONNECTED)
        return;
    if (now - s->silent_since_ms >= patience(s))
        on_silence(s);
    else if (is_turned_away(s))
        pause_connecting(s, patience(s) / TURNED_AWAY_SHARE);
}

struct session *session_open(struct queue *queue, struct worker *worker,
                             const struct session_options *options,
                             struct error *err) {
    struct session *s = calloc(1, sizeof(*s));
    int reason;

    if (!s)
        goto fail;
    s->queue = queue;
    s->worker = worker;
    s->number = queue_number(queue);
    s->hosts = hosts_copy(options->hosts);
    s->timeout_ms =
        options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    s->max_data = options->max_data ? options->max_data : DEFAULT_MAX_DATA;
    s->max_in_flight =
        options->max_in_flight ? options->max_in_flight : DEFAULT_IN_FLIGHT;
    s->backoff_ms = OPEN_BACKOFF_MS;
    s->pace_ms = PACE_MIN_MS;
    s->died_at_ms = clock_ms() - DEATH_BACKOFF_MS;
    if (options->resume)
        s->identity = *options->resume;
    if (!s->hosts)
        goto fail;
    reason = open_handle(s);
    if (reason == 0 || reason == EAGAIN)
        return s;
    error_set(err, "%s: %s", options->hosts, strerror(reason));

fail:
    error_set(err, "%s: out of memory", options->hosts);
    session_close(s);
    return NULL;
}

void session_close(struct session *s) {
    if (!s)
        return;
    while (s->waiting.head) {
        struct request *r = s->waiting.head;

        request_remove(&s->waiting, r);
        request_free(r);
    }
    if (s->handle)
        handle_close(s->handle, s->worker);
    credentials_free(s->credentials);
    free(s->hosts);
    free(s);
}

uint32_t session_number(const struct session *s) { return s->number; }

int session_set_hosts(struct session *s, const char *hosts) {
    char *copy = hosts_copy(hosts);

    if (!copy)
        return -1;
    if (hosts_equal(copy, s->hosts)) {
        free(copy); /* those in use have their turns */
        return 0;
    }
    free(s->hosts);
    s->hosts = copy;
    s->hosts_are_new = true;
    if (s->handle && s->state != SESSION_CONNECTED)
        use_new_hosts(s);
    else if (!s->handle && s->is_silence_old && s->refusal == 0)
        s->open_at_ms = clock_ms(); /* the pause was for the old ones */
    return 0;
}

enum session_state session_state(const struct session *s) { return s->state; }

int64_t session_client_id(const struct session *s) { return s->identity.id; }

struct session_identity session_identity(const struct session *s) {
    return s->identity;
}

const char *session_hosts(const struct session *s) { return s->hosts; }

const char *session_chroot(const struct session *s) {
    return s->hosts + strcspn(s->hosts, "/");
}

int session_timeout(const struct session *s) { return s->negotiated_ms; }

const char *session_strerror(int code) { return handle_strerror(code); }

const char *session_state_name(enum session_state state) {
    static const char *const names[] = {
        [SESSION_CONNECTING] = "connecting",
        [SESSION_CONNECTED] = "connected",
        [SESSION_UNKNOWN] = "unknown",
        [SESSION_EXPIRED] = "expired",
        [SESSION_AUTH_FAILED] = "auth_failed",
        [SESSION_NO_THREADS] = "no_threads",
    };

    return names[state];
}

void session_log_to(struct queue *queue) { log_lines_to(queue); }

void session_log_stop(struct queue *queue) { log_lines_stop(queue); }

static int64_t read_path(struct session *s, enum event_op op, const char *path,
                         bool watch) {
    struct request *r = request_new(op, 0, path, NULL, 0);

    if (r)
        r->watch = watch;
    return submit(s, r);
}

int64_t session_get_children(struct session *s, const char *path, bool watch) {
    return read_path(s, OP_GET_CHILDREN, path, watch);
}

int64_t session_get(struct session *s, const char *path, bool watch) {
    return read_path(s, OP_GET, path, watch);
}

int64_t session_exists(struct session *s, const char *path, bool watch) {
    return read_path(s, OP_EXISTS, path, watch);
}

int64_t session_sync(struct session *s, const char *path) {
    return read_path(s, OP_SYNC, path, false);
}

int64_t session_create(struct session *s, const char *path, const char *data,
                       size_t length, int mode) {
    struct request *r = request_new(OP_CREATE, 0, path, data, length);

    if (r)
        r->mode = mode;
    return submit(s, r);
}

int64_t session_set(struct session *s, const char *path, const char *data,
                    size_t length, int version) {
    struct request *r = request_new(OP_SET, 0, path, data, length);

    if (r)
        r->version = version;
    return submit(s, r);
}

int64_t session_delete(struct session *s, const char *path, int version) {
    struct request *r = request_new(OP_DELETE, 0, path, NULL, 0);

    if (r)
        r->version = version;
    return submit(s, r);
}
