/* roster_handover.c - the services that run, handed to another process and back
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "nerve/config/read.h"
#include "nerve/process/handover.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"
#include "nerve/services/hold.h"
#include "nerve/services/roster_parts.h"
#include "nerve/services/service.h"
#include "nerve/services/watcher.h"

static int save_service(json_t *all, const struct service *s) {
    struct handover_service saved = {.config = s->config,
                                     .leaving = service_is_leaving(s)};

    saved.told = reporter_save(s->reporter, &saved.known);
    if (s->watcher)
        watcher_save(s->watcher, &saved.standing);
    else if (s->before)
        saved.standing = *s->before;
    return handover_add_service(all, &saved);
}

int roster_save(const struct roster *r, json_t *all) {
    struct handover_session session;
    int status = handover_add_holds(all, r->env.holds);

    for (size_t i = 0; i < r->ensemble_count; i++)
        if (ensemble_save(r->ensembles[i], &session))
            status |= handover_add_session(all, &session);
    for (size_t i = 0; i < r->count; i++)
        status |= save_service(all, r->services[i]);
    return status;
}

static int restore_session(struct roster *r,
                           const struct handover_session *session) {
    struct ensemble_env env =
        roster_ensemble_env(r, session->session_timeout_ms);

    return roster_add_ensemble(r, ensemble_resume(&env, session)) ? 0 : -1;
}

static int restore_service(struct roster *r, struct handover_service *from) {
    struct ensemble *e = roster_ensemble_of(r, from->config);
    const struct hold *hold = holds_find(r->env.holds, from->config->name);
    struct service *s = e ? service_restore(from, e, hold, r->env.log) : NULL;

    if (!s)
        return -1;
    r->services[r->count++] = s;
    return 0;
}

int roster_restore(struct roster *r, struct handover *from) {
    r->services = calloc(from->service_count + 1, sizeof(*r->services));
    if (!r->services)
        return -1;
    for (size_t i = 0; i < from->session_count; i++)
        if (restore_session(r, &from->sessions[i]) != 0)
            return -1;
    for (size_t i = 0; i < from->service_count; i++)
        if (restore_service(r, &from->services[i]) != 0)
            return -1;
    return 0;
}

void roster_pause(struct roster *r) {
    for (size_t i = 0; i < r->count; i++)
        if (r->services[i]->watcher)
            watcher_pause(r->services[i]->watcher);
}

void roster_resume(struct roster *r) {
    for (size_t i = 0; i < r->count; i++)
        if (r->services[i]->watcher)
            watcher_resume(r->services[i]->watcher);
}
