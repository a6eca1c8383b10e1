/* reporter.c - keeps the registration of one service as it is wanted
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/zookeeper/session.h"
#include "nerve/config/read.h"
#include "nerve/register/reporter.h"
#include "nerve/register/reporter_state.h"
#include "nerve/register/step.h"
#include "nerve/services/hold.h"

/* Persistent znodes of an earlier run may be there. */
static void expect_leftovers(struct reporter *r) {
    if (config_is_persistent(r->service))
        registration_unsettle(&r->registration);
}

struct reporter *reporter_new(const struct service_config *service,
                              struct log *log) {
    struct reporter *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    wording_open(&r->wording, service);
    r->service = &r->wording.shown;
    r->log = log;
    expect_leftovers(r);
    return r;
}

void reporter_free(struct reporter *r) {
    if (!r)
        return;
    registration_close(&r->registration);
    wording_close(&r->wording);
    free(r);
}

bool reporter_save(const struct reporter *r, struct registration *known) {
    *known = r->registration;
    known->wanted = r->up;
    if (known->in_flight && r->step == REGISTRATION_CREATE)
        known->unsettled = true; /* its answer will not be read */
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

/* Publishes what is to be published from now on. Between steps only: what a
 * lost answer left behind has the name that it was made with. Returns 0, or -1
 * without memory; then the next event tries again. */
static int renew_wording(struct reporter *r) {
    enum wording_change change;

    if (!r->wording.stale || r->registration.in_flight ||
        r->registration.unsettled)
        return 0;
    if (wording_renew(&r->wording, &change) != 0)
        return -1;
    if (change != WORDING_SAME)
        registration_outdate(&r->registration);
    if (change == WORDING_NAME)
        registration_rename(&r->registration);
    return 0;
}

/* Tells whether ZooKeeper has confirmed what is to be published. */
static bool is_published(const struct reporter *r) {
    const struct registration *known = &r->registration;

    return known->count == 1 && known->znodes[0].current && !r->wording.stale;
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
    if (step == REGISTRATION_WAIT || (!r->told && !r->drain.out))
        return;
    request = step_send(step, &r->registration, r->service, r->session);
    if (request > 0) {
        r->request = (uint64_t)request;
        r->step = step;
        r->stale = false;
        r->outdated = false;
        r->registration.in_flight = true;
    } else if (request == SESSION_INVALID_STATE) {
        r->registration.connected = false; /* an event will say it too */
    } else {
        reporter_fail(r, (int)request, now_ms);
    }
}

/* Tells whether <code> leaves open what the server did: it is none of the
 * codes that servers answer with (those are below -100), or the session's
 * end. */
static bool is_outcome_unknown(int code) {
    return (code < SESSION_OK && code > -100 &&
            code != SESSION_BAD_ARGUMENTS) ||
           code == SESSION_SESSION_EXPIRED;
}

/* Without an outcome the next connection begins with finding out; the wait
 * that is set here ends with it. */
static void forget_step(struct reporter *r, int64_t now_ms) {
    registration_failed(&r->registration, now_ms);
    if (r->step == REGISTRATION_CREATE || r->registration.unsettled)
        registration_unsettle(&r->registration);
}

static void on_reply(struct reporter *r, const struct event *ev,
                     int64_t now_ms) {
    r->registration.in_flight = false;
    if (r->stale)
        return;
    if (is_outcome_unknown(ev->code)) {
        forget_step(r, now_ms);
        return;
    }
    if (ev->code == SESSION_OK)
        r->last_error = SESSION_OK;
    reporter_learn(r, ev, now_ms);
}

/* Tells whether the znode <path> is being deleted by us just now. */
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
        known->not_before_ms = 0; /* look again at what is in the way */
    if (ev->change != CHANGE_DELETED || is_being_deleted(r, ev->path))
        return;
    if (known->wanted)
        reporter_lose_znode(r, ev->path, now_ms);
    else
        reporter_note_removed(
            r, ev->path); /* a delete of ours whose answer was lost */
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

void reporter_hold(struct reporter *r, const struct hold *hold,
                   int64_t now_ms) {
    int64_t weight = -1;

    if (hold)
        weight = hold->out ? 0 : hold->weight;
    wording_weigh(&r->wording, weight);
    if (hold && hold->out)
        drain_start(&r->drain, hold->drain_ms);
    else
        drain_end(&r->drain);
    advance(r, now_ms);
}

void reporter_update(struct reporter *r, const struct service_config *service,
                     bool same) {
    wording_use(&r->wording, service);
    if (same || r->wording.stale)
        return;
    r->outdated = true;
    registration_outdate(&r->registration);
}

void reporter_absorb(struct reporter *r, const struct event *ev,
                     int64_t now_ms) {
    bool awaited = r->registration.in_flight && ev->request == r->request;

    if (ev->type == EVENT_REPLY && !awaited)
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

int reporter_error(const struct reporter *r) { return r->last_error; }

bool reporter_is_held(const struct reporter *r) {
    return r->wording.weight >= 0;
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
