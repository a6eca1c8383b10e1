/* change.c - how a new configuration changes the running services
 *
 * A change is prepared first, with all its memory, and then carried out.
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/config/compare.h"
#include "nerve/config/model.h"
#include "nerve/config/service.h"
#include "nerve/log.h"
#include "nerve/measure/statsd.h"
#include "nerve/register/ensemble.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"

/* A service of the new configuration. */
struct addition {
    struct service_config *config; /* owned until it is used */
    struct service *kept;    /* borrowed; the running one, same registration */
    struct service *added;   /* owned until it is used */
    struct watcher *watcher; /* owned until it is used; for <kept> */
};

/* A prepared change. */
struct change {
    struct config_outcome *outcomes; /* owned; one for each running service */
    struct addition *additions;      /* owned, with their members */
    size_t count;
};

/* Decides the outcome of each running service. */
static int compare(const struct services *r, const struct config *config,
                   struct change *change) {
    const struct service_config **running =
        calloc(r->count + 1, sizeof(*running));

    change->outcomes = calloc(r->count + 1, sizeof(*change->outcomes));
    if (running && change->outcomes) {
        for (size_t i = 0; i < r->count; i++)
            running[i] = r->services[i]->config;
        config_compare(running, r->count, config->services,
                       config->service_count, change->outcomes);
    }
    free(running);
    return running && change->outcomes ? 0 : -1;
}

/* Makes what <a> needs: a new service, or a watcher for a kept service whose
 * checks change. */
static int prepare_one(struct services *r, struct addition *a) {
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
    e = services_ensemble_of(r, config);
    if (!e)
        return -1;
    a->config = NULL;
    a->added = service_new(config, e, &r->env.check, r->env.log);
    return a->added ? 0 : -1;
}

/* Prepares everything that needs memory. Returns 0, or -1 without memory. */
static int prepare(struct services *r, struct config *config,
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
        if (change->outcomes[i].kind == OUTCOME_KEPT)
            change->additions[change->outcomes[i].by].kept = list[i];
    change->count = config->service_count;
    for (size_t i = 0; i < change->count; i++) {
        struct addition *a = &change->additions[i];

        a->config = service_config_move(&config->services[i]);
        if (!a->config || prepare_one(r, a) != 0)
            return -1;
    }
    return 0;
}

/* Frees what was not used. */
static void drop(struct change *change) {
    for (size_t i = 0; i < change->count; i++) {
        watcher_close(change->additions[i].watcher);
        service_free(change->additions[i].added);
        service_config_free(change->additions[i].config);
    }
    free(change->additions);
    free(change->outcomes);
}

static void count_launch(const struct services *r, const struct addition *a) {
    statsd_count(r->env.check.statsd, "nerve.watcher.launch", "launch_reason",
                 a->kept ? "update" : "new", "watcher_name",
                 a->kept ? a->kept->config->name : a->added->config->name,
                 NULL);
}

/* Checks <s> until its successor is registered, after the process that did so
 * has been replaced. */
static void check_on(const struct services *r, struct service *s) {
    struct error err = {0};

    if (!s->watcher &&
        service_check_on(s, &r->env.check, r->env.log, &err) != 0)
        log_line(r->env.log, LEVEL_WARNING, "%s: not checked any more: %s",
                 s->config->name, err.text);
}

/* Removes or replaces a running service, as <outcome> says. */
static void part_with(struct services *r, struct service *s,
                      const struct config_outcome *outcome,
                      const struct change *change, bool said) {
    const struct addition *by = &change->additions[outcome->by];

    if (outcome->kind == OUTCOME_KEPT || service_is_leaving(s))
        return;
    if (outcome->kind == OUTCOME_REMOVED) {
        if (said)
            log_line(r->env.log, LEVEL_INFO, "%s: no longer configured",
                     s->config->name);
        services_count_reap(r, s, "old");
        service_leave(s, (int64_t)uv_now(r->env.check.loop));
        return;
    }
    if (said)
        log_line(r->env.log, LEVEL_INFO,
                 "%s: registering it again; stays registered as before until "
                 "then",
                 s->config->name);
    check_on(r, s);
    s->successor = by->kept ? by->kept : by->added;
}

/* Carries out the change of <a>. Returns the watcher that is to be started, or
 * NULL. */
static struct watcher *carry_out(struct services *r, struct addition *a,
                                 bool said) {
    struct watcher *watcher = a->watcher;
    const char *change = "added";

    if (a->kept) {
        if (!service_is_leaving(a->kept))
            change = config_same_service(a->kept->config, a->config)
                         ? NULL
                         : "settings changed";
        service_renew(a->kept, a->config, a->watcher);
        services_use_hold(r, a->kept);
        a->config = NULL;
        a->watcher = NULL;
    } else {
        watcher = a->added->watcher;
        services_use_hold(r, a->added);
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

static void commit(struct services *r, struct change *change, bool said) {
    size_t before = r->count;
    struct watcher *watcher;

    for (size_t i = 0; i < before; i++)
        part_with(r, r->services[i], &change->outcomes[i], change, said);
    for (size_t i = 0; i < change->count; i++) {
        watcher = carry_out(r, &change->additions[i], said);
        if (watcher)
            watcher_start(watcher, i, change->count);
    }
    services_settle(r);
}

/* Has all sessions show the credentials <auth>, which it takes. The credentials
 * that they have shown before cannot be withdrawn. */
static void use_auth(struct services *r, char *auth) {
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

int services_apply(struct services *r, struct config *config, bool said) {
    struct change change = {0};
    int status = prepare(r, config, &change);

    if (status == 0) {
        use_auth(r, config->auth);
        config->auth = NULL;
        commit(r, &change, said);
    }
    drop(&change);
    services_close_unused(r);
    return status;
}
