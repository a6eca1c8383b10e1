/* roster.c - the services that run, and how a new configuration changes them
 *
 * A change is prepared first, all that takes memory, and then carried out.
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "nerve/config.h"
#include "nerve/config_compare.h"
#include "nerve/config_service.h"
#include "nerve/ensemble.h"
#include "nerve/hold.h"
#include "nerve/log.h"
#include "nerve/reporter.h"
#include "nerve/roster_parts.h"
#include "nerve/service.h"
#include "nerve/statsd.h"
#include "nerve/statsd_line.h"
#include "nerve/watcher.h"

#define SETTLE_MS 20 /* between looks at services that wait to leave */

/* One service of a new configuration. */
struct addition {
    struct service_config *config; /* owned until it is given away */
    struct service *kept;          /* borrowed; the same registration */
    struct service *added;         /* owned until then */
    struct watcher *watcher;       /* owned until then; <kept> gets it */
};

/* A change that is prepared. */
struct change {
    struct config_fate *fates;  /* owned; of those that run */
    struct addition *additions; /* owned, with their members */
    size_t count;
};

struct roster *roster_new(const struct roster_env *env) {
    struct roster *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->env = *env;
    r->open = true;
    uv_timer_init(env->check.loop, &r->settle);
    r->settle.data = r;
    return r;
}

struct ensemble_env roster_ensemble_env(const struct roster *r,
                                        int session_timeout_ms) {
    return (struct ensemble_env){.loop = r->env.check.loop,
                                 .queue = r->env.queue,
                                 .worker = r->env.worker,
                                 .log = r->env.log,
                                 .statsd = r->env.check.statsd,
                                 .session_timeout_ms = session_timeout_ms,
                                 .auth = r->auth};
}

struct ensemble *roster_add_ensemble(struct roster *r, struct ensemble *e) {
    struct ensemble **list =
        realloc(r->ensembles, (r->ensemble_count + 1) * sizeof(*list));

    if (list)
        r->ensembles = list;
    if (!list || !e) {
        ensemble_close(e);
        return NULL;
    }
    list[r->ensemble_count++] = e;
    return e;
}

/* Counts a service that gets a session of its own, or shares one. */
static void count_client(const struct roster *r, const char *what,
                         const struct service_config *service) {
    char cluster[256];

    statsd_cluster(service->ensemble, cluster, sizeof(cluster));
    statsd_count(r->env.check.statsd, what, "zk_cluster", cluster, NULL);
}

struct ensemble *roster_ensemble_of(struct roster *r,
                                    const struct service_config *service) {
    struct ensemble_env env =
        roster_ensemble_env(r, service->session_timeout_ms);

    for (size_t i = 0; i < r->ensemble_count; i++)
        if (ensemble_serves(r->ensembles[i], service->ensemble,
                            service->session_timeout_ms)) {
            count_client(r, "nerve.reporter.zk.client.reused", service);
            return r->ensembles[i];
        }
    count_client(r, "nerve.reporter.zk.client.created", service);
    return roster_add_ensemble(r, ensemble_new(&env, service->ensemble));
}

/* Closes the ensembles that no service uses any more. */
static void close_unused(struct roster *r) {
    size_t kept = 0;

    for (size_t i = 0; i < r->ensemble_count; i++) {
        if (ensemble_is_used(r->ensembles[i]))
            r->ensembles[kept++] = r->ensembles[i];
        else
            ensemble_close(r->ensembles[i]);
    }
    r->ensemble_count = kept;
}

/* Finds what becomes of each service that runs. */
static int compare(const struct roster *r, const struct config *config,
                   struct change *change) {
    const struct service_config **running =
        calloc(r->count + 1, sizeof(*running));

    change->fates = calloc(r->count + 1, sizeof(*change->fates));
    if (running && change->fates) {
        for (size_t i = 0; i < r->count; i++)
            running[i] = r->services[i]->config;
        config_compare(running, r->count, config->services,
                       config->service_count, change->fates);
    }
    free(running);
    return running && change->fates ? 0 : -1;
}

/* Makes what <a> needs: a service, or for one that is kept a watcher, unless
 * its checks go on. */
static int prepare_one(struct roster *r, struct addition *a) {
    struct service_config *config = a->config;
    struct ensemble *e;

    if (a->kept && a->kept->watcher &&
        config_same_checks(a->kept->config, config))
        return 0;
    if (a->kept) {
        a->watcher =
            watcher_open(&r->env.check, config, a->kept->reporter, r->env.log);
        if (a->watcher && a->kept->before &&
            config_same_checks(a->kept->config, config))
            watcher_restore(a->watcher, a->kept->before);
        return a->watcher ? 0 : -1;
    }
    e = roster_ensemble_of(r, config);
    if (!e)
        return -1;
    a->config = NULL;
    a->added = service_new(config, e, &r->env.check, r->env.log);
    return a->added ? 0 : -1;
}

/* Prepares all that takes memory. Returns 0, or -1 without. */
static int prepare(struct roster *r, struct config *config,
                   struct change *change) {
    struct service **list = realloc(
        r->services, (r->count + config->service_count + 1) * sizeof(*list));

    change->additions =
        calloc(config->service_count + 1, sizeof(*change->additions));
    if (list)
        r->services = list;
    if (!list || !change->additions || compare(r, config, change) != 0)
        return -1;
    for (size_t i = 0; i < r->count; i++)
        if (change->fates[i].kind == FATE_KEPT)
            change->additions[change->fates[i].by].kept = list[i];
    change->count = config->service_count;
    for (size_t i = 0; i < change->count; i++) {
        struct addition *a = &change->additions[i];

        a->config = service_config_move(&config->services[i]);
        if (!a->config || prepare_one(r, a) != 0)
            return -1;
    }
    return 0;
}

/* Frees what was not given away. */
static void drop(struct change *change) {
    for (size_t i = 0; i < change->count; i++) {
        watcher_close(change->additions[i].watcher);
        service_free(change->additions[i].added);
        service_config_free(change->additions[i].config);
    }
    free(change->additions);
    free(change->fates);
}

static void count_launch(const struct roster *r, const struct addition *a) {
    statsd_count(r->env.check.statsd, "nerve.watcher.launch", "launch_reason",
                 a->kept ? "update" : "new", "watcher_name",
                 a->kept ? a->kept->config->name : a->added->config->name,
                 NULL);
}

static void count_reap(const struct roster *r, const struct service *s,
                       const char *reason) {
    statsd_count(r->env.check.statsd, "nerve.watcher.reap", "reap_reason",
                 reason, "watcher_name", s->config->name, NULL);
}

/* A service that runs meets its fate, unless it is kept. */
static void part_with(struct roster *r, struct service *s,
                      const struct config_fate *fate,
                      const struct change *change, bool said) {
    const struct addition *by = &change->additions[fate->by];

    if (fate->kind == FATE_KEPT || service_is_leaving(s))
        return;
    if (fate->kind == FATE_REMOVED) {
        if (said)
            log_line(r->env.log, LEVEL_INFO, "%s: no longer configured",
                     s->config->name);
        count_reap(r, s, "old");
        service_leave(s, (int64_t)uv_now(r->env.check.loop));
        return;
    }
    if (said)
        log_line(r->env.log, LEVEL_INFO,
                 "%s: to be registered anew; stays registered as before until "
                 "it is",
                 s->config->name);
    s->successor = by->kept ? by->kept : by->added;
}

/* Does with <s> as an operator has said. */
static void use_hold(const struct roster *r, const struct service *s) {
    reporter_hold(s->reporter, holds_find(r->env.holds, s->config->name),
                  (int64_t)uv_now(r->env.check.loop));
}

void roster_use_holds(struct roster *r) {
    for (size_t i = 0; i < r->count; i++)
        use_hold(r, r->services[i]);
}

/* Gives <a> what was prepared for it. Returns its watcher, if that is to be
 * started. */
static struct watcher *carry_out(struct roster *r, struct addition *a,
                                 bool said) {
    struct watcher *watcher = a->watcher;
    const char *change = "added";

    if (a->kept) {
        if (!service_is_leaving(a->kept))
            change = config_same_service(a->kept->config, a->config)
                         ? NULL
                         : "settings changed";
        service_renew(a->kept, a->config, a->watcher);
        use_hold(r, a->kept);
        a->config = NULL;
        a->watcher = NULL;
    } else {
        watcher = a->added->watcher;
        use_hold(r, a->added);
        r->services[r->count++] = a->added;
    }
    if (watcher)
        count_launch(r, a);
    if (said && change)
        log_line(r->env.log, LEVEL_INFO, "%s: %s",
                 a->kept ? a->kept->config->name : a->added->config->name,
                 change);
    a->added = NULL;
    return watcher;
}

static void on_settle(uv_timer_t *timer);

static void commit(struct roster *r, struct change *change, bool said) {
    size_t before = r->count;
    struct watcher *watcher;

    for (size_t i = 0; i < before; i++)
        part_with(r, r->services[i], &change->fates[i], change, said);
    for (size_t i = 0; i < change->count; i++) {
        watcher = carry_out(r, &change->additions[i], said);
        if (watcher)
            watcher_start(watcher, i, change->count);
    }
    uv_timer_start(&r->settle, on_settle, 0, SETTLE_MS);
}

/* Has all sessions show the credentials <auth>, which it takes. What they have
 * shown before cannot be taken back. */
static void use_auth(struct roster *r, char *auth) {
    char *old = r->auth;

    if (!auth || (old && strcmp(old, auth) == 0)) {
        config_secret_free(auth);
        return;
    }
    r->auth = auth;
    for (size_t i = 0; i < r->ensemble_count; i++)
        ensemble_use_auth(r->ensembles[i], auth);
    config_secret_free(old);
}

int roster_apply(struct roster *r, struct config *config, bool said) {
    struct change change = {0};
    int status = prepare(r, config, &change);

    if (status == 0) {
        use_auth(r, config->auth);
        config->auth = NULL;
        commit(r, &change, said);
    }
    drop(&change);
    close_unused(r);
    return status;
}

/* Lets those leave whose successors are registered, and forgets those that
 * have left. */
static void on_settle(uv_timer_t *timer) {
    struct roster *r = timer->data;
    int64_t now = (int64_t)uv_now(r->env.check.loop);
    size_t kept = 0, waiting = 0;

    for (size_t i = 0; i < r->count; i++) {
        struct service *s = r->services[i];

        if (s->successor && service_may_leave(s)) {
            count_reap(r, s, "update");
            service_leave(s, now);
        }
        waiting += s->successor || !s->watcher;
    }
    for (size_t i = 0; i < r->count; i++) {
        if (service_has_left(r->services[i]))
            service_free(r->services[i]);
        else
            r->services[kept++] = r->services[i];
    }
    r->count = kept;
    close_unused(r);
    if (!waiting)
        uv_timer_stop(timer);
}

void roster_absorb(struct roster *r, struct event *ev) {
    for (size_t i = 0; i < r->ensemble_count; i++)
        ensemble_absorb(r->ensembles[i], ev);
}

const struct service *roster_service(const struct roster *r, size_t index) {
    return index < r->count ? r->services[index] : NULL;
}

const struct ensemble *roster_ensemble(const struct roster *r, size_t index) {
    return index < r->ensemble_count ? r->ensembles[index] : NULL;
}

void roster_leave(struct roster *r) {
    uv_timer_stop(&r->settle);
    for (size_t i = 0; i < r->count; i++)
        service_leave(r->services[i], (int64_t)uv_now(r->env.check.loop));
}

bool roster_has_left(const struct roster *r) {
    for (size_t i = 0; i < r->ensemble_count; i++)
        if (!ensemble_is_gone(r->ensembles[i]))
            return false;
    return true;
}

void roster_close(struct roster *r) {
    if (!r || !r->open)
        return;
    r->open = false;
    for (size_t i = 0; i < r->count; i++) {
        watcher_close(r->services[i]->watcher);
        r->services[i]->watcher = NULL;
        r->services[i]->ensemble = NULL;
    }
    for (size_t i = 0; i < r->ensemble_count; i++)
        ensemble_close(r->ensembles[i]);
    r->ensemble_count = 0;
    uv_close((uv_handle_t *)&r->settle, NULL);
}

bool roster_is_closed(const struct roster *r) { return !r || !r->open; }

void roster_free(struct roster *r) {
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        service_free(r->services[i]);
    free(r->services);
    free(r->ensembles);
    config_secret_free(r->auth);
    free(r);
}
