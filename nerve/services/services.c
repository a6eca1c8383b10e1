/* services.c - the running services, and the ensembles that they use
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/checks/push.h"
#include "nerve/config/compare.h"
#include "nerve/config/model.h"
#include "nerve/config/service.h"
#include "nerve/measure/statsd.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"
#include "nerve/services/hold.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"

/* The state of the checks in the previous process is not needed any more. */
static void forget_before(struct service *s) {
    if (s->before)
        free(s->before->health);
    free(s->before);
    s->before = NULL;
}

/* Has the reporter of <s> follow an operator's hold. */
static void use_hold(const struct service *s, const struct hold *hold,
                     int64_t now_ms) {
    struct reporter_order order = {0};

    if (hold)
        order = (struct reporter_order){.out = hold->out,
                                        .weight = hold->weight,
                                        .drain_ms = hold->drain_ms};
    reporter_obey(s->reporter, hold ? &order : NULL, now_ms);
}

struct service *service_new(struct service_config *config,
                            struct ensemble *ensemble,
                            const struct check_env *env, struct log *log) {
    struct service *s = calloc(1, sizeof(*s));

    if (!s) {
        service_config_free(config);
        return NULL;
    }
    s->config = config;
    s->reporter = reporter_new(config, log);
    if (s->reporter)
        s->watcher = watcher_open(env, config, s->reporter, log);
    if (s->watcher && ensemble_add(ensemble, s->reporter) == 0) {
        s->ensemble = ensemble;
        return s;
    }
    service_free(s);
    return NULL;
}

struct service *service_restore(struct saved_service *from,
                                struct ensemble *ensemble,
                                const struct hold *hold, struct log *log) {
    struct service *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->reporter = reporter_new(from->config, log);
    s->before = calloc(1, sizeof(*s->before));
    if (!s->reporter || !s->before ||
        ensemble_add(ensemble, s->reporter) != 0) {
        service_free(s);
        return NULL;
    }
    s->ensemble = ensemble;
    s->config = from->config;
    from->config = NULL;
    use_hold(s, hold, 0);
    reporter_restore(s->reporter, &from->known, from->told);
    *s->before = from->standing;
    from->standing.health = NULL;
    if (from->leaving)
        forget_before(s);
    return s;
}

int service_check_on(struct service *s, const struct check_env *env,
                     struct log *log, struct error *err) {
    if (service_config_restore_checks(s->config, err) == 0)
        s->watcher = watcher_open(env, s->config, s->reporter, log);
    if (!s->watcher) {
        error_set(err, "out of memory");
        return -1;
    }
    watcher_restore(s->watcher, s->before);
    forget_before(s);
    watcher_start(s->watcher, 0, 1);
    return 0;
}

bool service_is_leaving(const struct service *s) {
    return !s->watcher && !s->before;
}

void service_renew(struct service *s, struct service_config *config,
                   struct watcher *watcher) {
    bool same = config_same_payload(s->config, config);
    struct service_config *old = config;
    struct standing standing;

    if (watcher && s->watcher) {
        watcher_save(s->watcher, &standing);
        watcher_hear_again(watcher, &standing);
    } else if (watcher && s->before) {
        watcher_hear_again(watcher, s->before);
    }
    s->successor = NULL;
    forget_before(s);
    if (watcher) {
        watcher_close(s->watcher);
        s->watcher = watcher;
        old = s->config;
        s->config = config;
    } else {
        service_config_swap_registration(s->config, config);
    }
    reporter_update(s->reporter, s->config, same);
    service_config_free(old);
}

void service_leave(struct service *s, int64_t now_ms) {
    watcher_close(s->watcher);
    s->watcher = NULL;
    s->successor = NULL;
    forget_before(s);
    reporter_want(s->reporter, false, now_ms);
}

/* Tells whether <s>, which has a successor, may leave: the successor is
 * registered, or waits for the place of <s>; or <s> itself neither is
 * registered nor is to be. */
static bool service_may_leave(const struct service *s) {
    const struct reporter *successor = s->successor->reporter;

    return reporter_is_registered(successor) ||
           reporter_is_blocked(successor) ||
           (reporter_is_gone(s->reporter) && !reporter_is_wanted(s->reporter));
}

bool service_is_current(const struct service *s) {
    return s->watcher && !s->successor;
}

const char *service_trouble(const struct service *s) {
    if (!reporter_is_connected(s->reporter))
        return ensemble_trouble(s->ensemble);
    return reporter_is_settled(s->reporter) ? NULL
                                            : reporter_trouble(s->reporter);
}

/* Tells whether <s> has left: nothing of it is registered any more. */
static bool service_has_left(const struct service *s) {
    return !s->watcher && reporter_is_gone(s->reporter);
}

void service_free(struct service *s) {
    if (!s)
        return;
    watcher_close(s->watcher);
    if (s->ensemble)
        ensemble_remove(s->ensemble, s->reporter);
    reporter_free(s->reporter);
    forget_before(s);
    service_config_free(s->config);
    free(s);
}

#define SETTLE_MS 20 /* between looks at services that are leaving */

static void on_pulse(uv_timer_t *timer) {
    struct services *r = timer->data;

    hearing_ms(&r->hearing, uv_now(r->env.check.loop));
}

struct services *services_new(const struct services_env *env) {
    struct services *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->env = *env;
    r->env.check.hearing = &r->hearing;
    r->open = true;
    uv_timer_init(env->check.loop, &r->settle);
    r->settle.data = r;
    uv_timer_init(env->check.loop, &r->pulse);
    r->pulse.data = r;
    uv_timer_start(&r->pulse, on_pulse, HEARING_TURN_MS, HEARING_TURN_MS);
    return r;
}

struct ensemble_env services_ensemble_env(const struct services *r,
                                          int session_timeout_ms) {
    return (struct ensemble_env){.loop = r->env.check.loop,
                                 .queue = r->env.queue,
                                 .worker = r->env.worker,
                                 .log = r->env.log,
                                 .statsd = r->env.check.statsd,
                                 .session_timeout_ms = session_timeout_ms,
                                 .auth = r->auth};
}

struct ensemble *services_add_ensemble(struct services *r, struct ensemble *e) {
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
static void count_client(const struct services *r, const char *what,
                         const struct service_config *service) {
    char cluster[256];

    statsd_cluster(service->ensemble, cluster, sizeof(cluster));
    statsd_count(r->env.check.statsd, what, "zk_cluster", cluster, NULL);
}

struct ensemble *services_ensemble_of(struct services *r,
                                      const struct service_config *service) {
    struct ensemble_env env =
        services_ensemble_env(r, service->session_timeout_ms);

    for (size_t i = 0; i < r->ensemble_count; i++)
        if (ensemble_serves(r->ensembles[i], service->ensemble,
                            service->session_timeout_ms)) {
            count_client(r, "nerve.reporter.zk.client.reused", service);
            return r->ensembles[i];
        }
    count_client(r, "nerve.reporter.zk.client.created", service);
    return services_add_ensemble(r, ensemble_new(&env, service->ensemble));
}

void services_close_unused(struct services *r) {
    size_t kept = 0;

    for (size_t i = 0; i < r->ensemble_count; i++) {
        if (ensemble_is_used(r->ensembles[i]))
            r->ensembles[kept++] = r->ensembles[i];
        else
            ensemble_close(r->ensembles[i]);
    }
    r->ensemble_count = kept;
}

void services_count_reap(const struct services *r, const struct service *s,
                         const char *reason) {
    statsd_count(r->env.check.statsd, "nerve.watcher.reap", "reap_reason",
                 reason, "watcher_name", s->config->name, NULL);
}

void services_use_hold(const struct services *r, const struct service *s) {
    use_hold(s, holds_find(r->env.holds, s->config->name),
             (int64_t)uv_now(r->env.check.loop));
}

void services_use_holds(struct services *r) {
    for (size_t i = 0; i < r->count; i++)
        services_use_hold(r, r->services[i]);
}

/* Lets services leave whose successors are registered, and frees those that
 * have left. */
static void on_settle(uv_timer_t *timer) {
    struct services *r = timer->data;
    int64_t now = (int64_t)uv_now(r->env.check.loop);
    size_t kept = 0, waiting = 0;

    for (size_t i = 0; i < r->count; i++) {
        struct service *s = r->services[i];

        if (s->successor && service_may_leave(s)) {
            services_count_reap(r, s, "update");
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
    services_close_unused(r);
    if (!waiting)
        uv_timer_stop(timer);
}

void services_settle(struct services *r) {
    uv_timer_start(&r->settle, on_settle, 0, SETTLE_MS);
}

void services_absorb(struct services *r, struct event *ev) {
    for (size_t i = 0; i < r->ensemble_count; i++)
        ensemble_absorb(r->ensembles[i], ev);
}

const struct service *services_at(const struct services *r, size_t index) {
    return index < r->count ? r->services[index] : NULL;
}

const struct ensemble *services_ensemble(const struct services *r,
                                         size_t index) {
    return index < r->ensemble_count ? r->ensembles[index] : NULL;
}

void services_leave(struct services *r) {
    uv_timer_stop(&r->settle);
    for (size_t i = 0; i < r->count; i++)
        service_leave(r->services[i], (int64_t)uv_now(r->env.check.loop));
}

bool services_has_left(const struct services *r) {
    for (size_t i = 0; i < r->ensemble_count; i++)
        if (!ensemble_is_gone(r->ensembles[i]))
            return false;
    return true;
}

void services_close(struct services *r) {
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
    uv_close((uv_handle_t *)&r->pulse, NULL);
}

bool services_is_closed(const struct services *r) { return !r || !r->open; }

void services_free(struct services *r) {
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        service_free(r->services[i]);
    free(r->services);
    free(r->ensembles);
    config_secret_free(r->auth);
    free(r);
}
