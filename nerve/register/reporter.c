/* reporter.c - keeps the registration of one service as it is wanted
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "csrc/zookeeper/session.h"
#include "nerve/config/model.h"
#include "nerve/config/payload.h"
#include "nerve/log.h"
#include "nerve/register/plan.h"
#include "nerve/register/published.h"
#include "nerve/register/reporter.h"
#include "nerve/register/znode_owner.h"

/* Why a step was refused. It stays until that step succeeds, or until nothing
 * is left to do. */
struct refusal {
    int code; /* ZooKeeper's; 0: none */
    enum registration_step step;
    struct error words; /* with the path, if that is not zk_path */
};

struct reporter {
    struct published published;
    const struct service_config *service; /* borrowed from <published> */
    struct log *log;                      /* borrowed */
    struct session *session;              /* borrowed, or NULL */
    bool up;                              /* the result of the checks */
    struct drain drain;
    struct registration registration;
    uint64_t request;            /* the request in flight */
    enum registration_step step; /* the step of that request */
    bool stale;                  /* it was sent in a session that is gone */
    bool outdated;               /* the data has changed since it was sent */
    struct refusal refusal;
    bool told;        /* the checks have had a result */
    bool blocked;     /* a znode of another session is in the way */
    struct error way; /* which znode, and whose; while <blocked> */
    struct ttl ttl;   /* of its persistent znode */
};

/* Delays the next step after <step> failed at <path> (NULL: zk_path) with
 * <code>, which is not a lost connection. Logs it if the last log line was
 * another one. */
static void refuse(struct reporter *r, enum registration_step step,
                   const char *path, int code, int64_t now_ms) {
    int64_t wait_ms = registration_failed(&r->registration, now_ms);
    struct refusal now = {.code = code, .step = step};

    if (path && strcmp(path, r->service->zk_path) != 0)
        error_set(&now.words, "%s: %s", path, session_strerror(code));
    else
        error_set(&now.words, "%s", session_strerror(code));
    if (code == r->refusal.code && step == r->refusal.step &&
        strcmp(now.words.text, r->refusal.words.text) == 0)
        return;
    r->refusal = now;
    log_line(r->log, LEVEL_WARNING,
             "%s: registration below %s failed (%s); next try in %d s, then "
             "later and later",
             r->service->name, r->service->zk_path, now.words.text,
             (int)(wait_ms / 1000));
}

/* The step in flight, or the one that could not be sent, has failed. */
static void fail(struct reporter *r, int code, int64_t now_ms) {
    refuse(r, r->step, NULL, code, now_ms);
}

/* Notes that somebody else has removed the znode <path>, unless that is known
 * already: both a watch and an answer may say so. */
static void lose_znode(struct reporter *r, const char *path, int64_t now_ms) {
    int64_t wait_ms;

    if (!registration_remove(&r->registration, path))
        return;
    log_line(r->log, LEVEL_WARNING, "%s: registration %s was deleted",
             r->service->name, path);
    wait_ms = registration_deleted(&r->registration, now_ms);
    if (wait_ms)
        log_line(r->log, LEVEL_WARNING,
                 "%s: registration deleted more than 3 times in a minute; "
                 "another nerve may have the same instance_id; next try in "
                 "%d s",
                 r->service->name, (int)(wait_ms / 1000));
}

/* Notes that the registration <path> is gone, as wanted. */
static void note_removed(struct reporter *r, const char *path) {
    if (registration_remove(&r->registration, path))
        log_line(r->log, LEVEL_INFO, "%s: registration %s removed",
                 r->service->name, path);
}

/* Tells whether <ev> refuses the step in flight, and notes that. */
static bool is_refused(struct reporter *r, const struct event *ev,
                       int64_t now_ms) {
    if (ev->code == SESSION_NO_NODE && ev->path)
        lose_znode(r, ev->path, now_ms);
    else if (ev->code != SESSION_OK)
        fail(r, ev->code, now_ms);
    return ev->code != SESSION_OK;
}

/* ---- before the list, so that it has all commits */

static int64_t send_sync(const struct reporter *r) {
    return session_sync(r->session, r->service->zk_path);
}

static void on_synced(struct reporter *r, const struct event *ev,
                      int64_t now_ms) {
    if (!is_refused(r, ev, now_ms))
        r->registration.synced = true;
}

/* ---- list the children, for candidates */

static int64_t send_list(const struct reporter *r) {
    return session_get_children(r->session, r->service->zk_path, false);
}

/* Adds the children in <ev> that pass <may_be>. Returns 0, or -1 without
 * memory. */
static int add_candidates(struct reporter *r, const struct event *ev,
                          bool (*may_be)(const struct service_config *,
                                         const char *)) {
    int status = 0;

    for (size_t i = 0; i < ev->count && status == 0; i++) {
        struct text path = {0};

        if (!may_be(r->service, ev->children[i]))
            continue;
        text_printf(&path, "%s/%s", r->service->zk_path, ev->children[i]);
        status = registration_add_candidate(&r->registration, text_take(&path));
    }
    return status;
}

/* A failed search is skipped: the registration itself is done. */
static void on_searched(struct reporter *r, const struct event *ev) {
    if (ev->code == SESSION_OK)
        add_candidates(r, ev, znode_owner_may_be_orphan);
    registration_search(&r->registration);
}

static void take_candidates(struct reporter *r, const struct event *ev,
                            int64_t now_ms) {
    if (add_candidates(r, ev, znode_owner_is_candidate) == 0) {
        registration_listed(&r->registration);
        return;
    }
    registration_unsettle(&r->registration);
    fail(r, SESSION_NO_MEMORY, now_ms);
}

static void on_listed(struct reporter *r, const struct event *ev,
                      int64_t now_ms) {
    if (!r->registration.unsettled)
        on_searched(r, ev);
    else if (ev->code == SESSION_NO_NODE)
        registration_listed(&r->registration);
    else if (!is_refused(r, ev, now_ms))
        take_candidates(r, ev, now_ms);
}

/* ---- read the first candidate: is it ours? */

/* Watches a znode that is in the way. */
static int64_t send_inspect(const struct reporter *r) {
    return session_get(r->session, r->registration.candidates[0],
                       !config_is_sequential(r->service));
}

/* The znode <path> is the registration. Takes <path>. */
static void adopt(struct reporter *r, char *path, const struct event *ev) {
    const char *payload = r->service->payload;
    bool current = !r->outdated && ev->length == strlen(payload) &&
                   memcmp(ev->data, payload, ev->length) == 0;

    log_line(r->log, LEVEL_INFO, "%s: found the registration %s again",
             r->service->name, path);
    r->blocked = false;
    if (registration_add(&r->registration, path, current) != 0)
        registration_unsettle(&r->registration);
}

/* Logs that a znode is in the way, as <format> says. */
__attribute__((format(printf, 2, 3))) static void
block(struct reporter *r, const char *format, ...) {
    va_list args;

    r->blocked = true;
    va_start(args, format);
    vsnprintf(r->way.text, sizeof(r->way.text), format, args);
    va_end(args);
}

/* The znode <path> is in the way. Its watch fires when it goes; in case the
 * watch is lost, the znode is read again later and later. */
static void wait_for(struct reporter *r, const char *path,
                     const struct event *ev, int64_t now_ms) {
    bool same = payload_is_of(ev->data, ev->length, r->service->identity);

    registration_failed(&r->registration, now_ms);
    if (r->blocked)
        return;
    block(r,
          same ? "%s is held by session 0x%" PRIx64 ", an earlier one or "
                 "another nerve with the same instance_id"
               : "%s is another instance's, held by session 0x%" PRIx64,
          path, (uint64_t)ev->stat.ephemeral_owner);
    log_line(r->log, LEVEL_WARNING, "%s: %s; waiting until it goes",
             r->service->name, r->way.text);
}

/* The znode <path> is a leftover. If it belongs to the service that this one
 * replaces, that service removes it by itself, given some time. Takes
 * <path>. */
static void remove_leftover(struct reporter *r, char *path, int32_t version,
                            int64_t now_ms) {
    if (!r->blocked && !r->registration.searching) {
        block(r, "%s, left by an earlier run, is in the way", path);
        registration_failed(&r->registration, now_ms);
        free(path);
        return;
    }
    log_line(r->log, LEVEL_INFO, "%s: removing %s, left by an earlier run",
             r->service->name, path);
    registration_clear(&r->registration, path, version);
}

/* Decides whose znode <ev> is about. */
static enum znode_owner judge(const struct reporter *r,
                              const struct event *ev) {
    const char *data = ev->data ? ev->data : "";
    int64_t owner = ev->stat.ephemeral_owner;

    if (ev->code != SESSION_OK)
        return ZNODE_OWNER_OTHERS; /* it is gone, or we may not read it */
    if (!r->registration.searching)
        return znode_owner_decide(r->service, session_client_id(r->session),
                                  owner, data, ev->length);
    return znode_owner_is_orphan(r->service, owner, data, ev->length)
               ? ZNODE_OWNER_LEFTOVER
               : ZNODE_OWNER_OTHERS;
}

/* Tells whether the candidate may still be ours although <ev> does not show it.
 * Everybody may read our znodes. So a numbered znode that we may not read
 * belongs to somebody else, and is not in the way. */
static bool is_undecided(const struct reporter *r, const struct event *ev) {
    if (ev->code == SESSION_OK || ev->code == SESSION_NO_NODE ||
        r->registration.searching)
        return false;
    return ev->code != SESSION_NO_AUTH || !config_is_sequential(r->service);
}

static void on_inspected(struct reporter *r, const struct event *ev,
                         int64_t now_ms) {
    struct registration *known = &r->registration;
    enum znode_owner owner = judge(r, ev);
    char *path;

    if (is_undecided(r, ev)) {
        fail(r, ev->code, now_ms);
        return;
    }
    path = registration_take_candidate(known);
    if (owner == ZNODE_OWNER_OURS) {
        adopt(r, path, ev);
        return;
    }
    if (owner == ZNODE_OWNER_LEFTOVER) {
        remove_leftover(r, path, ev->stat.version, now_ms);
        return;
    }
    if (owner == ZNODE_OWNER_HELD)
        wait_for(r, path, ev, now_ms);
    free(path);
}

/* ---- the path below which our znode goes, with the chroot */

/* Returns the path as the servers know it, owned by the caller, or NULL without
 * memory. */
static char *whole_path(const struct reporter *r) {
    struct text path = {0};

    text_printf(&path, "%s%s", session_chroot(r->session), r->service->zk_path);
    return text_take(&path);
}

static int64_t send_parent(const struct reporter *r) {
    char *path = whole_path(r);
    int64_t request;

    if (!path)
        return SESSION_NO_MEMORY;
    path[r->registration.parent_length] = '\0';
    request = session_create(
        r->session, path, "", 0,
        CREATE_ABSOLUTE |
            (r->service->creator_acl ? CREATE_CREATOR : CREATE_PERSISTENT));
    free(path);
    return request;
}

/* The path, or the missing part of it, has no parent. Returns 0, or -1 if there
 * is nothing above that could be made, or no memory. */
static int miss_parent(struct reporter *r) {
    char *path = whole_path(r);
    int status =
        path ? registration_parent_missing(&r->registration, path) : -1;

    free(path);
    return status;
}

static void on_parent(struct reporter *r, const struct event *ev,
                      int64_t now_ms) {
    char *path;

    if (ev->code == SESSION_NO_NODE && miss_parent(r) == 0)
        return;
    if (ev->code != SESSION_OK && ev->code != SESSION_NODE_EXISTS) {
        refuse(r, r->step, ev->path, ev->code, now_ms);
        return;
    }
    path = whole_path(r);
    if (path)
        registration_parent_made(&r->registration, path);
    else
        fail(r, SESSION_NO_MEMORY, now_ms);
    free(path);
}

/* ---- the registration */

static int64_t send_create(const struct reporter *r) {
    const struct service_config *service = r->service;
    int mode =
        (config_is_persistent(service) ? CREATE_PERSISTENT : CREATE_EPHEMERAL) |
        (config_is_sequential(service) ? CREATE_SEQUENTIAL : 0) |
        (service->creator_acl ? CREATE_CREATOR : 0);
    struct text path = {0};
    char *joined;
    int64_t request;

    text_printf(&path, "%s/%s", service->zk_path, service->node);
    joined = text_take(&path);
    if (!joined)
        return SESSION_NO_MEMORY;
    request = session_create(r->session, joined, service->payload,
                             strlen(service->payload), mode);
    free(joined);
    return request;
}

/* The znode that we create exists already. The server numbers sequential znodes
 * itself. It may use a number twice if its tree was restored, or if somebody
 * has made znodes by hand. One of them may be ours. */
static void on_occupied(struct reporter *r, int64_t now_ms) {
    const struct service_config *service = r->service;
    struct text path = {0};

    if (config_is_sequential(service)) {
        fail(r, SESSION_NODE_EXISTS, now_ms);
        registration_unsettle(&r->registration);
        return;
    }
    text_printf(&path, "%s/%s", service->zk_path, service->node);
    if (registration_occupied(&r->registration, text_take(&path)) != 0)
        fail(r, SESSION_NO_MEMORY, now_ms);
}

static void registered(struct reporter *r, const struct event *ev,
                       int64_t now_ms) {
    char *path = ev->data ? strdup(ev->data) : NULL;

    if (!config_is_persistent(r->service))
        registration_plan_search(&r->registration, now_ms);

    registration_succeeded(&r->registration);
    r->blocked = false;
    if (registration_add(&r->registration, path, !r->outdated) == 0)
        log_line(r->log, LEVEL_INFO, "%s: registered as %s", r->service->name,
                 ev->data);
    else
        registration_unsettle(&r->registration); /* one of our znodes exists */
}

static void on_no_parent(struct reporter *r, int64_t now_ms) {
    if (miss_parent(r) != 0)
        fail(r, SESSION_NO_MEMORY, now_ms);
}

static void on_created(struct reporter *r, const struct event *ev,
                       int64_t now_ms) {
    if (ev->code == SESSION_NO_NODE)
        on_no_parent(r, now_ms);
    else if (ev->code == SESSION_NODE_EXISTS)
        on_occupied(r, now_ms);
    else if (!is_refused(r, ev, now_ms))
        registered(r, ev, now_ms);
}

/* ---- a leftover that is in the way */

static int64_t send_clear(const struct reporter *r) {
    const struct registration *known = &r->registration;

    return session_delete(r->session, known->leftover, known->leftover_version);
}

/* A leftover that somebody has written to is read again. */
static void on_cleared(struct reporter *r, const struct event *ev,
                       int64_t now_ms) {
    registration_cleared(&r->registration);
    if (ev->code != SESSION_OK && ev->code != SESSION_NO_NODE &&
        ev->code != SESSION_BAD_VERSION)
        fail(r, ev->code, now_ms);
}

/* ---- the first znode's data, and its watch */

static int64_t send_set(const struct reporter *r) {
    const char *payload = r->service->payload;

    return session_set(r->session, r->registration.znodes[0].path, payload,
                       strlen(payload), -1);
}

static void on_set(struct reporter *r, const struct event *ev, int64_t now_ms) {
    if (!is_refused(r, ev, now_ms) && r->registration.count)
        r->registration.znodes[0].current = !r->outdated;
}

static int64_t send_watch(const struct reporter *r) {
    return session_exists(r->session, r->registration.znodes[0].path, true);
}

static void on_watched(struct reporter *r, const struct event *ev,
                       int64_t now_ms) {
    if (!is_refused(r, ev, now_ms) && r->registration.count)
        r->registration.znodes[0].watched = true;
}

/* ---- the last znode, which is not wanted any more */

static int64_t send_delete(const struct reporter *r) {
    const struct registration *known = &r->registration;

    return session_delete(r->session, known->znodes[known->count - 1].path, -1);
}

static void on_deleted(struct reporter *r, const struct event *ev,
                       int64_t now_ms) {
    if (ev->code == SESSION_NO_NODE || !is_refused(r, ev, now_ms))
        note_removed(r, ev->path);
}

/* What each step sends, and how it takes the answer. <send> returns the
 * request's number, or a negative code (session.h). */
static const struct {
    int64_t (*send)(const struct reporter *r);
    void (*answered)(struct reporter *r, const struct event *ev,
                     int64_t now_ms);
} steps[] = {
    [REGISTRATION_SYNC] = {send_sync, on_synced},
    [REGISTRATION_LIST] = {send_list, on_listed},
    [REGISTRATION_INSPECT] = {send_inspect, on_inspected},
    [REGISTRATION_MAKE_PARENT] = {send_parent, on_parent},
    [REGISTRATION_CREATE] = {send_create, on_created},
    [REGISTRATION_CLEAR] = {send_clear, on_cleared},
    [REGISTRATION_SET] = {send_set, on_set},
    [REGISTRATION_WATCH] = {send_watch, on_watched},
    [REGISTRATION_DELETE] = {send_delete, on_deleted},
};

/* An earlier run may have left persistent znodes. */
static void expect_leftovers(struct reporter *r) {
    if (config_is_persistent(r->service))
        registration_unsettle(&r->registration);
}

struct reporter *reporter_new(const struct service_config *service,
                              struct log *log) {
    struct reporter *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    published_open(&r->published, service);
    r->service = &r->published.shown;
    r->log = log;
    expect_leftovers(r);
    return r;
}

void reporter_free(struct reporter *r) {
    if (!r)
        return;
    registration_close(&r->registration);
    published_close(&r->published);
    free(r);
}

bool reporter_save(const struct reporter *r, struct registration *known) {
    *known = r->registration;
    known->wanted = r->up;
    if (known->in_flight && r->step == REGISTRATION_CREATE)
        known->unsettled = true; /* its answer is ignored */
    return r->told;
}

void reporter_restore(struct reporter *r, struct registration *known,
                      bool told) {
    registration_close(&r->registration);
    r->registration = *known;
    r->up = known->wanted;
    memset(known, 0, sizeof(*known));
    r->told = told;
}

void reporter_attach(struct reporter *r, struct session *session) {
    r->session = session;
    r->registration.connected = false;
}

/* Publishes the current data from now on. Only between steps, because a znode
 * that a lost answer left behind has the name of its time. Returns 0, or -1
 * without memory; then the next event tries again. */
static int renew_wording(struct reporter *r) {
    enum published_change change;

    if (!r->published.stale || r->registration.in_flight ||
        r->registration.unsettled)
        return 0;
    if (published_renew(&r->published, &change) != 0)
        return -1;
    if (change != PUBLISHED_SAME)
        registration_outdate(&r->registration);
    if (change == PUBLISHED_NAME)
        registration_rename(&r->registration);
    return 0;
}

/* Tells whether ZooKeeper has confirmed the data that is published. */
static bool is_published(const struct reporter *r) {
    const struct registration *known = &r->registration;

    return known->count == 1 && known->znodes[0].current && !r->published.stale;
}

/* Tells whether <step> means that nothing is left to do or to wait for. */
static bool is_done(const struct reporter *r, enum registration_step step,
                    int64_t now_ms) {
    const struct registration *known = &r->registration;

    return step == REGISTRATION_WAIT && known->connected && !known->in_flight &&
           now_ms >= known->not_before_ms;
}

static void advance(struct reporter *r, int64_t now_ms) {
    struct registration *known = &r->registration;
    enum registration_step step;
    int64_t request;

    if (renew_wording(r) != 0)
        return;
    known->wanted = r->up && drain_allows(&r->drain, known->count > 0,
                                          is_published(r), now_ms);
    step = registration_next(known, now_ms);
    if (is_done(r, step, now_ms)) {
        r->refusal.code = SESSION_OK;
        registration_succeeded(known);
    }
    if (step == REGISTRATION_WAIT || (!r->told && !r->drain.out))
        return;
    request = steps[step].send(r);
    r->step = step;
    if (request > 0) {
        r->request = (uint64_t)request;
        r->stale = false;
        r->outdated = false;
        r->registration.in_flight = true;
    } else if (request == SESSION_INVALID_STATE) {
        r->registration.connected = false; /* an event reports it too */
    } else {
        fail(r, (int)request, now_ms);
    }
}

/* Tells whether <code> leaves open what the server did: it is neither a
 * server's answer (below -100) nor the session's end. */
static bool is_outcome_unknown(int code) {
    return (code < SESSION_OK && code > -100 &&
            code != SESSION_BAD_ARGUMENTS) ||
           code == SESSION_SESSION_EXPIRED;
}

/* The outcome is unknown: list our znodes after reconnecting. The reconnect
 * clears the delay that is set here. The lost connection is logged elsewhere; a
 * server's answer is logged here. */
static void forget_step(struct reporter *r, int code, int64_t now_ms) {
    if (code == SESSION_LOST || code == SESSION_SESSION_EXPIRED)
        registration_failed(&r->registration, now_ms);
    else
        fail(r, code, now_ms);
    if (r->step == REGISTRATION_CREATE || r->registration.unsettled)
        registration_unsettle(&r->registration);
}

static void on_reply(struct reporter *r, const struct event *ev,
                     int64_t now_ms) {
    r->registration.in_flight = false;
    if (r->stale)
        return;
    if (is_outcome_unknown(ev->code)) {
        forget_step(r, ev->code, now_ms);
        return;
    }
    if (ev->code == SESSION_OK && r->step == r->refusal.step)
        r->refusal.code = SESSION_OK;
    steps[r->step].answered(r, ev, now_ms);
}

/* Tells whether our own delete of the znode <path> is in flight. */
static bool is_being_deleted(const struct reporter *r, const char *path) {
    const struct registration *known = &r->registration;

    return known->in_flight && r->step == REGISTRATION_DELETE && known->count &&
           strcmp(known->znodes[known->count - 1].path, path) == 0;
}

static void on_watch(struct reporter *r, const struct event *ev,
                     int64_t now_ms) {
    struct registration *known = &r->registration;

    for (size_t i = 0; i < known->count; i++)
        if (strcmp(known->znodes[i].path, ev->path) == 0)
            known->znodes[i].watched = false;
    if (r->blocked)
        known->not_before_ms = 0; /* read again what is in the way */
    if (ev->change != CHANGE_DELETED || is_being_deleted(r, ev->path))
        return;
    if (known->wanted)
        lose_znode(r, ev->path, now_ms);
    else
        note_removed(r, ev->path); /* our own delete, whose answer was lost */
}

static void lose_session(struct reporter *r) {
    registration_lose_session(&r->registration);
    expect_leftovers(r);
    r->stale = true;
}

static void on_session(struct reporter *r, const struct event *ev) {
    struct registration *known = &r->registration;

    known->connected = ev->state == SESSION_CONNECTED;
    if (ev->state == SESSION_EXPIRED || ev->state == SESSION_AUTH_FAILED ||
        (known->connected && ev->link == LINK_NEW_SESSION))
        lose_session(r);
    if (known->connected) {
        if (ev->link != LINK_SAME_HANDLE)
            registration_lose_watches(known);
        known->not_before_ms = 0;
        registration_succeeded(known);
    }
}

void reporter_want(struct reporter *r, bool registered, int64_t now_ms) {
    r->up = registered;
    r->told = true;
    r->blocked = r->blocked && registered;
    advance(r, now_ms);
}

void reporter_obey(struct reporter *r, const struct reporter_order *order,
                   int64_t now_ms) {
    int64_t weight = -1;

    if (order)
        weight = order->out ? 0 : order->weight;
    published_weigh(&r->published, weight);
    if (order && order->out)
        drain_start(&r->drain, order->drain_ms);
    else
        drain_end(&r->drain);
    advance(r, now_ms);
}

void reporter_update(struct reporter *r, const struct service_config *service,
                     bool same) {
    published_use(&r->published, service);
    if (same || r->published.stale)
        return;
    r->outdated = true;
    registration_outdate(&r->registration);
}

void reporter_absorb(struct reporter *r, const struct event *ev,
                     int64_t now_ms) {
    bool awaits = r->registration.in_flight && r->request == ev->request;

    if (ev->type == EVENT_REPLY && !awaits)
        return;
    if (ev->type == EVENT_REPLY)
        on_reply(r, ev, now_ms);
    else if (ev->type == EVENT_SESSION)
        on_session(r, ev);
    else if (ev->type == EVENT_WATCH && ev->path)
        on_watch(r, ev, now_ms);
    else if (ev->type == EVENT_OVERFLOW)
        registration_lose_watches(&r->registration);
    advance(r, now_ms);
}

void reporter_tick(struct reporter *r, int64_t now_ms) {
    const struct service_config *service = r->service;

    if (r->registration.count && service->ttl_ms &&
        config_is_persistent(service) &&
        ttl_is_due(&r->ttl, service->ttl_ms, service->payload, now_ms))
        registration_outdate(&r->registration);
    advance(r, now_ms);
}

bool reporter_is_blocked(const struct reporter *r) { return r->blocked; }

bool reporter_is_registered(const struct reporter *r) {
    return r->registration.count > 0;
}

const char *reporter_payload(const struct reporter *r) {
    return r->service->payload;
}

const char *reporter_path(const struct reporter *r) {
    const struct registration *known = &r->registration;

    return known->count ? known->znodes[0].path : NULL;
}

const char *reporter_trouble(const struct reporter *r) {
    if (r->blocked)
        return r->way.text;
    return r->refusal.code != SESSION_OK ? r->refusal.words.text : NULL;
}

bool reporter_is_held(const struct reporter *r) {
    return r->published.weight >= 0;
}

bool reporter_is_connected(const struct reporter *r) {
    return r->registration.connected;
}

bool reporter_is_settled(const struct reporter *r) {
    const struct registration *known = &r->registration;

    if (!known->connected || known->unsettled || known->leftover ||
        (known->in_flight && r->step == REGISTRATION_CREATE))
        return false;
    if (r->drain.out)
        return known->count == 0;
    return r->told && (known->wanted ? is_published(r) : known->count == 0);
}

bool reporter_is_wanted(const struct reporter *r) {
    return r->registration.wanted;
}

bool reporter_is_gone(const struct reporter *r) {
    const struct registration *known = &r->registration;

    return !known->count && !known->in_flight && !known->unsettled;
}
