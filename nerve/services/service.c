/* service.c - one service at work: its settings, its watcher, its reporter
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "csrc/base/error.h"
#include "nerve/config/compare.h"
#include "nerve/config/read.h"
#include "nerve/config/service.h"
#include "nerve/process/handover.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"
#include "nerve/services/service.h"
#include "nerve/services/watcher.h"

/* Where the checks stood in another process does not matter any more. */
static void forget_before(struct service *s) {
    if (s->before)
        free(s->before->health);
    free(s->before);
    s->before = NULL;
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

struct service *service_restore(struct handover_service *from,
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
    reporter_hold(s->reporter, hold, 0);
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

bool service_may_leave(const struct service *s) {
    const struct reporter *successor = s->successor->reporter;

    return reporter_is_registered(successor) ||
           reporter_is_blocked(successor) ||
           (reporter_is_gone(s->reporter) && !reporter_is_wanted(s->reporter));
}

bool service_is_current(const struct service *s) {
    return s->watcher && !s->successor;
}

bool service_has_left(const struct service *s) {
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
