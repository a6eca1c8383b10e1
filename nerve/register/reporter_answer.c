/* reporter_answer.c - what a server's answers say about a registration
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/text.h"
#include "csrc/zookeeper/session.h"
#include "nerve/config/payload.h"
#include "nerve/config/read.h"
#include "nerve/log.h"
#include "nerve/register/reporter_state.h"
#include "nerve/register/step.h"
#include "nerve/register/znode_owner.h"

void reporter_fail(struct reporter *r, int code, int64_t now_ms) {
    int64_t wait_ms = registration_failed(&r->registration, now_ms);

    if (code == r->last_error)
        return;
    r->last_error = code;
    log_line(r->log, LEVEL_WARNING,
             "%s: registration below %s failed (%s); next try in %d s, then "
             "later and later",
             r->service->name, r->service->zk_path, session_strerror(code),
             (int)(wait_ms / 1000));
}

void reporter_lose_znode(struct reporter *r, const char *path, int64_t now_ms) {
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

void reporter_note_removed(struct reporter *r, const char *path) {
    if (registration_remove(&r->registration, path))
        log_line(r->log, LEVEL_INFO, "%s: registration %s removed",
                 r->service->name, path);
}

static void on_created(struct reporter *r, const struct event *ev,
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
        registration_unsettle(&r->registration); /* it is there, somewhere */
}

/* Adds those of the children in <ev> that <may_be> what is looked for. Returns
 * 0, or -1 without memory. */
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

/* What cannot be searched is not: all that matters is registered. */
static void on_searched(struct reporter *r, const struct event *ev) {
    if (ev->code == SESSION_OK)
        add_candidates(r, ev, claim_may_be_orphan);
    registration_search(&r->registration);
}

static void on_listed(struct reporter *r, const struct event *ev,
                      int64_t now_ms) {
    if (add_candidates(r, ev, claim_is_candidate) == 0) {
        registration_listed(&r->registration);
        return;
    }
    registration_unsettle(&r->registration);
    reporter_fail(r, SESSION_NO_MEMORY, now_ms);
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

/* The znode <path> is in the way. Its watch tells when it goes; in case that is
 * lost, it is looked at again later and later. */
static void wait_for(struct reporter *r, const char *path,
                     const struct event *ev, int64_t now_ms) {
    bool same = payload_is_of(ev->data, ev->length, r->service->identity);

    registration_failed(&r->registration, now_ms);
    if (r->blocked)
        return;
    r->blocked = true;
    log_line(r->log, LEVEL_WARNING,
             same ? "%s: %s is held by session 0x%" PRIx64 ", an earlier one "
                    "or another nerve with the same instance_id; waiting until "
                    "it goes"
                  : "%s: %s is another instance's, held by session 0x%" PRIx64
                    "; waiting until it goes",
             r->service->name, path, (uint64_t)ev->stat.ephemeral_owner);
}

/* The znode <path> was left behind. If that was the service which this one is
 * to replace, it removes it itself, given the time. Takes <path>. */
static void remove_leftover(struct reporter *r, char *path, int32_t version,
                            int64_t now_ms) {
    if (!r->blocked && !r->registration.searching) {
        r->blocked = true;
        registration_failed(&r->registration, now_ms);
        free(path);
        return;
    }
    log_line(r->log, LEVEL_INFO, "%s: removing %s, left by an earlier run",
             r->service->name, path);
    registration_clear(&r->registration, path, version);
}

/* Decides whose the znode is that <ev> tells of. */
static enum claim judge(const struct reporter *r, const struct event *ev) {
    const char *data = ev->data ? ev->data : "";
    int64_t owner = ev->stat.ephemeral_owner;

    if (ev->code != SESSION_OK)
        return CLAIM_OTHERS;
    if (!r->registration.searching)
        return claim_decide(r->service, session_client_id(r->session), owner,
                            data, ev->length);
    return claim_is_orphan(r->service, owner, data, ev->length) ? CLAIM_LEFTOVER
                                                                : CLAIM_OTHERS;
}

static void on_inspected(struct reporter *r, const struct event *ev,
                         int64_t now_ms) {
    struct registration *known = &r->registration;
    char *path = registration_take_candidate(known);
    enum claim claim = judge(r, ev);

    if (ev->code != SESSION_OK && ev->code != SESSION_NO_NODE &&
        !known->searching)
        reporter_fail(r, ev->code, now_ms);
    if (claim == CLAIM_OURS) {
        adopt(r, path, ev);
        return;
    }
    if (claim == CLAIM_LEFTOVER) {
        remove_leftover(r, path, ev->stat.version, now_ms);
        return;
    }
    if (claim == CLAIM_HELD)
        wait_for(r, path, ev, now_ms);
    free(path);
}

/* A leftover that was written to meanwhile is looked at again. */
static void on_cleared(struct reporter *r, const struct event *ev,
                       int64_t now_ms) {
    registration_cleared(&r->registration);
    if (ev->code != SESSION_OK && ev->code != SESSION_NO_NODE &&
        ev->code != SESSION_BAD_VERSION)
        reporter_fail(r, ev->code, now_ms);
}

/* Where our znode goes there is one already. */
static void on_occupied(struct reporter *r, int64_t now_ms) {
    const struct service_config *service = r->service;
    struct text path = {0};

    text_printf(&path, "%s/%s", service->zk_path, service->node);
    if (registration_occupied(&r->registration, text_take(&path)) != 0)
        reporter_fail(r, SESSION_NO_MEMORY, now_ms);
}

static void on_parent(struct reporter *r, const struct event *ev,
                      int64_t now_ms) {
    const char *path = r->service->zk_path;

    if (ev->code == SESSION_OK || ev->code == SESSION_NODE_EXISTS)
        registration_parent_made(&r->registration, path);
    else if (ev->code != SESSION_NO_NODE ||
             registration_parent_missing(&r->registration, path) != 0)
        reporter_fail(r, ev->code, now_ms);
}

void reporter_learn(struct reporter *r, const struct event *ev,
                    int64_t now_ms) {
    struct registration *known = &r->registration;
    bool missing = ev->code == SESSION_NO_NODE;

    if (r->step == REGISTRATION_INSPECT)
        on_inspected(r, ev, now_ms);
    else if (r->step == REGISTRATION_CLEAR)
        on_cleared(r, ev, now_ms);
    else if (r->step == REGISTRATION_MAKE_PARENT)
        on_parent(r, ev, now_ms);
    else if (r->step == REGISTRATION_CREATE && missing)
        registration_parent_missing(known, r->service->zk_path);
    else if (r->step == REGISTRATION_CREATE && ev->code == SESSION_NODE_EXISTS)
        on_occupied(r, now_ms);
    else if (r->step == REGISTRATION_LIST && !known->unsettled)
        on_searched(r, ev);
    else if (r->step == REGISTRATION_LIST && missing)
        registration_listed(known);
    else if (r->step == REGISTRATION_DELETE && missing)
        reporter_note_removed(r, ev->path);
    else if (missing && ev->path)
        reporter_lose_znode(r, ev->path, now_ms);
    else if (ev->code != SESSION_OK)
        reporter_fail(r, ev->code, now_ms);
    else if (r->step == REGISTRATION_CREATE)
        on_created(r, ev, now_ms);
    else if (r->step == REGISTRATION_DELETE)
        reporter_note_removed(r, ev->path);
    else if (r->step == REGISTRATION_LIST)
        on_listed(r, ev, now_ms);
    else if (r->step == REGISTRATION_SYNC)
        known->synced = true;
    else if (r->step == REGISTRATION_SET && known->count)
        known->znodes[0].current = !r->outdated;
    else if (r->step == REGISTRATION_WATCH && known->count)
        known->znodes[0].watched = true;
}
