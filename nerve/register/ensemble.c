/* ensemble.c - one session for each distinct zk_hosts, and its users
 *
 * Each query for the servers' addresses has a thread of its own. While name
 * servers hang, each ensemble may have such a thread, and none of them occupies
 * one of libuv's few threads.
 *
 *   resolve()    runs in the query's thread; until it ends, only it touches
 *                <numeric> and <err>
 *   all others   run in the loop's thread
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "csrc/base/error.h"
#include "csrc/base/worker.h"
#include "csrc/zookeeper/hosts.h"
#include "csrc/zookeeper/session.h"
#include "nerve/log.h"
#include "nerve/measure/statsd.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"

#define TICK_MS        200
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 30000
#define ASK_AGAIN_MS   60000 /* while all names are known */
#define ASK_PAUSE_MS   1000  /* between two questions at least */

/* A query for the servers' addresses. The loop keeps it until its thread
 * ends. */
struct query {
    uv_thread_t thread;
    uv_async_t ended;
    struct ensemble *ensemble; /* borrowed; NULL once it is abandoned */
    char *numeric;             /* owned; the result, or NULL */
    struct error err;
    int status;   /* of the thread's start */
    char hosts[]; /* NUL-terminated */
};

struct ensemble {
    struct ensemble_env env;
    char *hosts;             /* owned */
    struct session *session; /* owned; NULL until the names are known */
    struct query *query;     /* in progress, or NULL */
    uint64_t resolve_at_ms;  /* the next query; 0: in progress */
    uint64_t asked_ms;       /* the last query */
    struct error unknown;    /* what the log says is wrong with them, or "" */
    uint64_t backoff_ms;
    struct reporter **reporters; /* owned list of borrowed ones */
    size_t count;
    uv_timer_t timer;
    bool said_unknown; /* already in the log */
    int refusal;       /* code with which the server ends connections, or 0 */
    struct error away; /* why it is not connected, if that is known */
    struct ensemble_counts counts;
};

bool ensemble_serves(const struct ensemble *e, const char *hosts,
                     int session_timeout_ms) {
    return strcmp(e->hosts, hosts) == 0 &&
           e->env.session_timeout_ms == session_timeout_ms;
}

const char *ensemble_hosts(const struct ensemble *e) { return e->hosts; }

bool ensemble_is_connected(const struct ensemble *e) {
    return e->session && session_state(e->session) == SESSION_CONNECTED;
}

const char *ensemble_trouble(const struct ensemble *e) {
    return e->away.text[0] ? e->away.text : NULL;
}

const struct ensemble_counts *ensemble_counts(const struct ensemble *e) {
    return &e->counts;
}

/* A reporter that is added later learns the state of the session, too. */
static void tell_state(struct ensemble *e, struct reporter *reporter) {
    struct event ev = {.type = EVENT_SESSION,
                       .state = session_state(e->session),
                       .link = LINK_NEW_HANDLE};

    reporter_attach(reporter, e->session);
    reporter_absorb(reporter, &ev, (int64_t)uv_now(e->env.loop));
}

int ensemble_add(struct ensemble *e, struct reporter *reporter) {
    struct reporter **list =
        realloc(e->reporters, (e->count + 1) * sizeof(struct reporter *));

    if (!list)
        return -1;
    e->reporters = list;
    list[e->count++] = reporter;
    if (e->session)
        tell_state(e, reporter);
    return 0;
}

void ensemble_remove(struct ensemble *e, const struct reporter *reporter) {
    size_t kept = 0;

    for (size_t i = 0; i < e->count; i++)
        if (e->reporters[i] != reporter)
            e->reporters[kept++] = e->reporters[i];
    e->count = kept;
}

bool ensemble_is_used(const struct ensemble *e) { return e->count > 0; }

static void show_auth(struct ensemble *e) {
    const char *auth = e->env.auth;

    if (e->session && auth &&
        session_add_auth(e->session, "digest", auth, strlen(auth)) < 0)
        log_line(e->env.log, LEVEL_ERROR,
                 "%s: no credentials are shown: out of memory", e->hosts);
}

void ensemble_use_auth(struct ensemble *e, const char *auth) {
    e->env.auth = auth;
    show_auth(e);
}

/* Keeps the last known cause until the session is connected. */
static void set_away(struct ensemble *e, const char *why) {
    e->away.text[0] = '\0';
    error_set(&e->away, "%s", why);
}

static void open_session(struct ensemble *e, const char *numeric,
                         const struct session_identity *resume,
                         struct error *err) {
    struct session_options options = {.hosts = numeric,
                                      .timeout_ms = e->env.session_timeout_ms,
                                      .resume = resume};

    e->session = session_open(e->env.queue, e->env.worker, &options, err);
    show_auth(e);
    for (size_t i = 0; e->session && i < e->count; i++)
        reporter_attach(e->reporters[i], e->session);
}

/* While a session lives, the log has the same problem once. */
static void put_off(struct ensemble *e, const char *why,
                    const char *meanwhile) {
    bool again = e->session && strcmp(e->unknown.text, why) == 0;

    if (!ensemble_is_connected(e))
        set_away(e, why);
    if (!again)
        log_line(e->env.log, LEVEL_WARNING, "%s: %s%s; next try in %d s",
                 e->hosts, why, meanwhile, (int)(e->backoff_ms / 1000));
    e->unknown.text[0] = '\0';
    error_set(&e->unknown, "%s", why);
    e->resolve_at_ms = uv_now(e->env.loop) + e->backoff_ms;
    e->backoff_ms *= 2;
    if (e->backoff_ms > BACKOFF_MAX_MS)
        e->backoff_ms = BACKOFF_MAX_MS;
}

/* All names have addresses, but these may change. So as long as no server
 * answers, they are looked up again for each new handle. */
static void ask_again_later(struct ensemble *e) {
    uint64_t wait = session_state(e->session) == SESSION_UNKNOWN
                        ? (uint64_t)e->env.session_timeout_ms
                        : ASK_AGAIN_MS;

    e->unknown.text[0] = '\0';
    e->backoff_ms = BACKOFF_MIN_MS;
    e->resolve_at_ms = uv_now(e->env.loop) + wait;
}

/* Takes the result of a query: all addresses, some of them, or none. <why> says
 * what is missing. */
static void use_addresses(struct ensemble *e, const char *numeric,
                          const struct error *why) {
    struct error err = {.text = ""};

    e->query = NULL;
    log_line(e->env.log, LEVEL_DEBUG, "%s: looked up: %s", e->hosts,
             numeric ? numeric : why->text);
    if (numeric && e->session)
        session_set_hosts(e->session, numeric);
    else if (numeric)
        open_session(e, numeric, NULL, &err);
    if (numeric && !e->session)
        put_off(e, err.text, "");
    else if (why->text[0])
        put_off(e, why->text, numeric ? "; the others are used" : "");
    else
        ask_again_later(e);
}

static void resolve(void *arg) {
    struct query *q = arg;

    q->numeric = hosts_resolve(q->hosts, &q->err);
    uv_async_send(&q->ended);
}

static void on_query_closed(uv_handle_t *ended) {
    struct query *q = ended->data;

    free(q->numeric);
    free(q);
}

static void on_query_ended(uv_async_t *ended) {
    struct query *q = ended->data;

    uv_thread_join(&q->thread);
    if (q->ensemble)
        use_addresses(q->ensemble, q->numeric, &q->err);
    uv_close((uv_handle_t *)ended, on_query_closed);
}

static void start_thread(void *arg) {
    struct query *q = arg;

    q->status = uv_thread_create(&q->thread, resolve, q);
}

/* Starts a query for the servers' addresses. Returns 0, or -1 with <err>. */
static int start_query(struct ensemble *e, struct error *err) {
    struct query *q = calloc(1, sizeof(*q) + strlen(e->hosts) + 1);

    if (!q) {
        error_set(err, "out of memory");
        return -1;
    }
    strcpy(q->hosts, e->hosts);
    q->ensemble = e;
    q->ended.data = q;
    uv_async_init(e->env.loop, &q->ended, on_query_ended);
    worker_without_signals(start_thread, q);
    if (q->status == 0) {
        e->query = q;
        return 0;
    }
    error_set(err, "no thread for the names: %s", uv_strerror(q->status));
    uv_close((uv_handle_t *)&q->ended, on_query_closed);
    return -1;
}

static void start_resolving(struct ensemble *e) {
    struct error err = {0};

    e->resolve_at_ms = 0;
    e->asked_ms = uv_now(e->env.loop);
    if (!e->query && start_query(e, &err) != 0)
        put_off(e, err.text, "");
}

/* The server that was lost may have another address now. */
static void resolve_again(struct ensemble *e) {
    uint64_t now = uv_now(e->env.loop);

    if (e->query)
        return;
    if (now - e->asked_ms >= ASK_PAUSE_MS)
        start_resolving(e);
    else if (e->resolve_at_ms > e->asked_ms + ASK_PAUSE_MS)
        e->resolve_at_ms = e->asked_ms + ASK_PAUSE_MS;
}

static void on_tick(uv_timer_t *timer) {
    struct ensemble *e = timer->data;
    uint64_t now = uv_now(e->env.loop);

    if (e->resolve_at_ms && now >= e->resolve_at_ms)
        start_resolving(e);
    if (e->session)
        session_tick(e->session);
    for (size_t i = 0; i < e->count; i++)
        reporter_tick(e->reporters[i], (int64_t)now);
}

/* Makes an ensemble that does not know its servers' addresses. */
static struct ensemble *make(const struct ensemble_env *env,
                             const char *hosts) {
    struct ensemble *e = calloc(1, sizeof(*e));

    if (e)
        e->hosts = strdup(hosts);
    if (!e || !e->hosts) {
        free(e);
        return NULL;
    }
    e->env = *env;
    e->backoff_ms = BACKOFF_MIN_MS;
    uv_timer_init(env->loop, &e->timer);
    e->timer.data = e;
    uv_timer_start(&e->timer, on_tick, TICK_MS, TICK_MS);
    return e;
}

struct ensemble *ensemble_new(const struct ensemble_env *env,
                              const char *hosts) {
    struct ensemble *e = make(env, hosts);

    if (e)
        start_resolving(e);
    return e;
}

/* Uses the previous process's addresses until a query has ended, because that
 * could take longer than the session lives. */
struct ensemble *ensemble_resume(const struct ensemble_env *env,
                                 const struct saved_session *session) {
    struct ensemble *e = make(env, session->ensemble);
    struct error err = {0};

    if (!e)
        return NULL;
    open_session(e, session->hosts, &session->identity, &err);
    if (!e->session)
        put_off(e, err.text, "");
    else
        start_resolving(e);
    return e;
}

bool ensemble_save(const struct ensemble *e, struct saved_session *session) {
    if (!e->session)
        return false;
    *session =
        (struct saved_session){.ensemble = e->hosts,
                               .session_timeout_ms = e->env.session_timeout_ms,
                               .hosts = session_hosts(e->session),
                               .identity = session_identity(e->session)};
    return session->identity.id != 0;
}

static void say_connected(struct ensemble *e, const struct event *ev) {
    static const char *const words[] = {
        [LINK_NONE] = "connected",
        [LINK_SAME_HANDLE] = "connected again",
        [LINK_NEW_HANDLE] = "session resumed",
        [LINK_NEW_SESSION] = "connected, new session",
    };
    struct log *log = e->env.log;

    log_line(log, LEVEL_INFO, "%s: %s 0x%" PRIx64 ", timeout %d ms", e->hosts,
             words[ev->link], (uint64_t)ev->client_id, ev->timeout_ms);
    if (ev->link == LINK_NEW_SESSION &&
        ev->timeout_ms != e->env.session_timeout_ms)
        log_line(log, LEVEL_WARNING,
                 "%s: session timeout %d ms asked for, the servers allow %d ms",
                 e->hosts, e->env.session_timeout_ms, ev->timeout_ms);
}

/* If a server ends each connection for the same reason, the log says so
 * once. */
static void say_lost(struct ensemble *e, int refusal) {
    if (refusal == SESSION_OK)
        log_line(e->env.log, LEVEL_WARNING,
                 "%s: connection lost; registrations stay as they are",
                 e->hosts);
    else if (refusal != e->refusal)
        log_line(e->env.log, LEVEL_ERROR,
                 "%s: connection ended by the server: %s; registrations stay "
                 "as they are, tried again later and later",
                 e->hosts, session_strerror(refusal));
    e->refusal = refusal;
    set_away(e, refusal == SESSION_OK ? "" : session_strerror(refusal));
}

/* Logs a change of the session's state, and what follows from it. */
static void say_state(struct ensemble *e, const struct event *ev) {
    struct log *log = e->env.log;

    switch (ev->state) {
    case SESSION_CONNECTED:
        if (e->refusal == SESSION_OK)
            say_connected(e, ev);
        break;
    case SESSION_CONNECTING:
        say_lost(e, ev->code);
        break;
    case SESSION_UNKNOWN:
        if (!e->said_unknown)
            log_line(log, LEVEL_WARNING,
                     "%s: no answer for a session timeout; checks go on, "
                     "registrations wait",
                     e->hosts);
        break;
    case SESSION_EXPIRED:
        log_line(log, LEVEL_WARNING,
                 "%s: session expired; registrations will be created again",
                 e->hosts);
        break;
    case SESSION_AUTH_FAILED:
        log_line(log, LEVEL_ERROR, "%s: the servers refuse the credentials",
                 e->hosts);
        set_away(e, "the servers refuse the credentials");
        break;
    case SESSION_NO_THREADS:
        log_line(log, LEVEL_ERROR,
                 "%s: no threads can be started (RLIMIT_NPROC?); trying again",
                 e->hosts);
        set_away(e, "no threads can be started (RLIMIT_NPROC?)");
        break;
    }
    e->said_unknown = ev->state == SESSION_UNKNOWN;
}

/* A server that has ended each connection accepts requests again. */
static void note_answer(struct ensemble *e, const struct event *ev) {
    if (e->refusal == SESSION_OK || ev->type != EVENT_REPLY ||
        (ev->code != SESSION_OK && ev->code >= SESSION_ANSWERS) ||
        ev->code == e->refusal)
        return;
    log_line(e->env.log, LEVEL_INFO, "%s: the server takes requests again",
             e->hosts);
    e->refusal = SESSION_OK;
    set_away(e, "");
}

static void on_session(struct ensemble *e, const struct event *ev) {
    say_state(e, ev);
    e->counts.sessions +=
        ev->state == SESSION_CONNECTED && ev->link == LINK_NEW_SESSION;
    e->counts.expired += ev->state == SESSION_EXPIRED;
    if (ev->state == SESSION_CONNECTED) {
        if (e->refusal == SESSION_OK)
            set_away(e, "");
    }
    if (ev->state == SESSION_UNKNOWN || ev->state == SESSION_CONNECTING)
        resolve_again(e);
}

/* Counts the answer to a write. */
static void count_write(struct ensemble *e, const struct event *ev) {
    static const char *const names[] = {
        [WRITE_CREATE] = "nerve.reporter.zk.create.elapsed_time",
        [WRITE_SET] = "nerve.reporter.zk.save.elapsed_time",
        [WRITE_DELETE] = "nerve.reporter.zk.delete.elapsed_time",
    };
    enum write_op op;
    char cluster[256];

    if (!writes_is_answer(ev, &op))
        return;
    writes_count(&e->counts.writes, ev);
    statsd_cluster(e->hosts, cluster, sizeof(cluster));
    statsd_time(e->env.statsd, names[op],
                (uint64_t)(ev->time_us - ev->asked_us) / 1000, "zk_cluster",
                cluster, NULL);
}

static void hand_out(struct ensemble *e, const struct event *ev) {
    int64_t now = (int64_t)uv_now(e->env.loop);

    for (size_t i = 0; i < e->count; i++)
        reporter_absorb(e->reporters[i], ev, now);
}

/* Notes a line of the client library, "HOST: MESSAGE", as the cause, if the
 * session is not connected and the server is one of this ensemble. */
static void note_line(struct ensemble *e, const char *line) {
    enum session_state state = session_state(e->session);
    const char *end = line ? strstr(line, ": ") : NULL;

    if (!end || e->refusal != SESSION_OK ||
        (state != SESSION_CONNECTING && state != SESSION_UNKNOWN) ||
        !hosts_have(session_hosts(e->session), line, (size_t)(end - line)))
        return;
    e->away.text[0] = '\0';
    error_set(&e->away, "%s", line);
}

void ensemble_absorb(struct ensemble *e, struct event *ev) {
    if (!e->session)
        return;
    if (ev->type == EVENT_LOG) {
        note_line(e, ev->data);
        return;
    }
    if (ev->session != 0 && (ev->session != session_number(e->session) ||
                             !session_absorb(e->session, ev)))
        return;
    if (ev->type == EVENT_SESSION)
        on_session(e, ev);
    note_answer(e, ev);
    count_write(e, ev);
    hand_out(e, ev);
}

bool ensemble_is_gone(const struct ensemble *e) {
    for (size_t i = 0; i < e->count; i++)
        if (!reporter_is_gone(e->reporters[i]))
            return false;
    return true;
}

static void on_closed(uv_handle_t *timer) {
    struct ensemble *e = timer->data;

    free(e->hosts);
    free(e);
}

void ensemble_close(struct ensemble *e) {
    if (!e)
        return;
    if (e->query)
        e->query->ensemble = NULL;
    for (size_t i = 0; i < e->count; i++)
        reporter_attach(e->reporters[i], NULL);
    session_close(e->session);
    free(e->reporters);
    uv_close((uv_handle_t *)&e->timer, on_closed);
}
