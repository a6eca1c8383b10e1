/* services.h - the running services, and how a new configuration changes them
 *
 * It touches nothing that has not changed. If a service gets another
 * registration, a successor takes over: the old service leaves only once the
 * successor is registered. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_SERVICES_H
#define NERVE_SERVICES_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nerve/checks/check.h"
#include "nerve/checks/push.h"
#include "nerve/register/plan.h"
#include "nerve/services/standing.h"

struct config;
struct ensemble;
struct ensemble_env;
struct error;
struct event;
struct hold;
struct holds;
struct log;
struct queue;
struct reporter;
struct service_config;
struct watcher;
struct worker;

/* What another process needs to continue a service. */
struct saved_service {
    struct service_config *config; /* its configuration, without its checks */
    struct registration known;     /* <wanted>, <unsettled> and the znodes */
    bool told;                     /* the checks have had a result */
    bool leaving;                  /* its checks have ended for good */
    struct standing standing;      /* unless it is leaving */
};

/* A running service: its configuration, its watcher, its reporter. */
struct service {
    struct service_config *config; /* owned */
    struct ensemble *ensemble;     /* borrowed */
    struct reporter *reporter;     /* owned */
    struct watcher *watcher;       /* owned, or NULL */
    struct standing *before;       /* owned; of a service_restore(), or NULL */
    struct service *successor;     /* borrowed; takes over once registered */
};

/* What services need; all borrowed. */
struct services_env {
    struct check_env check;
    struct queue *queue;
    struct worker *worker; /* closes handles */
    struct log *log;
    const struct holds *holds;
};

/* All that runs. Only the files of this folder change it; nerve/process reads
 * it to hand it over. */
struct services {
    struct services_env env;
    struct service **services; /* owned, with its members */
    size_t count;
    struct ensemble **ensembles; /* owned, with its members */
    size_t ensemble_count;
    char *auth;        /* owned; the credentials, or NULL */
    uv_timer_t settle; /* runs while a service is leaving */
    struct hearing hearing;
    uv_timer_t pulse; /* shows <hearing> that the loop turns */
    bool open;        /* services_close() was not called yet */
};

/* Returns services that run nothing yet, owned by the caller, or NULL without
 * memory. */
struct services *services_new(const struct services_env *env);

/* Runs the services of <config> and shows its credentials from now on; takes
 * both out of <config>. Logs the changes if <said>. Returns 0, or -1 without
 * memory; then nothing has changed. */
int services_apply(struct services *r, struct config *config, bool said);

/* Ends all running checks without a result, and starts none until
 * services_resume(). */
void services_pause(struct services *r);
void services_resume(struct services *r);

/* Follows the holds, which have changed. */
void services_use_holds(struct services *r);

/* Shows <ev> to all ensembles; each knows which are its own. */
void services_absorb(struct services *r, struct event *ev);

/* Returns the running service <index>, or NULL after the last one; borrowed
 * until the next turn of the loop. Services that are leaving are included. */
const struct service *services_at(const struct services *r, size_t index);

/* The same for the ensembles. */
const struct ensemble *services_ensemble(const struct services *r,
                                         size_t index);

/* Ends all checks and removes all registrations. */
void services_leave(struct services *r);

/* Tells whether nothing is registered any more, or everything is closed. */
bool services_has_left(const struct services *r);

/* Closes the sessions, and leaves the services as they are. */
void services_close(struct services *r);

/* Tells whether the sessions are closed, or there never were any. */
bool services_is_closed(const struct services *r);

/* Frees <r>, which is closed, after the loop has ended. NULL is allowed. */
void services_free(struct services *r);

/* Returns a service of <config>, which it takes. It is not started. Keeps
 * <ensemble>, what is in <env>, and <log> borrowed. Owned by the caller, or
 * NULL without memory. */
struct service *service_new(struct service_config *config,
                            struct ensemble *ensemble,
                            const struct check_env *env, struct log *log);

/* Returns a service that continues for another process. Takes what it needs out
 * of <from>; <hold> is its hold, or NULL. It has no watcher: service_renew() or
 * service_check_on() makes one. Otherwise as service_new(). */
struct service *service_restore(struct saved_service *from,
                                struct ensemble *ensemble,
                                const struct hold *hold, struct log *log);

/* Continues the checks of <s>, which is from service_restore(), in their last
 * state. Returns 0, or -1 with <err>; then <s> stays unchecked. */
int service_check_on(struct service *s, const struct check_env *env,
                     struct log *log, struct error *err);

/* Tells whether <s> is leaving: its checks have ended for good. */
bool service_is_leaving(const struct service *s);

/* Uses <config>, which it takes, from now on. The registration is the same,
 * except for its data. <watcher>, which it takes, is of <config> and not
 * started; NULL: the checks are the same, and go on. */
void service_renew(struct service *s, struct service_config *config,
                   struct watcher *watcher);

/* Ends the checks of <s> and removes its registration. */
void service_leave(struct service *s, int64_t now_ms);

/* Tells whether <s> stays: it is not leaving and has no successor. */
bool service_is_current(const struct service *s);

/* Returns why ZooKeeper does not have the wanted state of <s>, for people;
 * borrowed until the next event or tick. NULL if it has it, or if the cause is
 * not known. */
const char *service_trouble(const struct service *s);

/* Frees <s> and leaves its registration as it is. NULL is allowed. */
void service_free(struct service *s);

/* Returns what an ensemble with this session timeout needs. */
struct ensemble_env services_ensemble_env(const struct services *r,
                                          int session_timeout_ms);

/* Adds <e>, which it takes; NULL is allowed. Returns it, or NULL without
 * memory. */
struct ensemble *services_add_ensemble(struct services *r, struct ensemble *e);

/* Returns the ensemble of <service>, borrowed; makes it if necessary. NULL
 * without memory. */
struct ensemble *services_ensemble_of(struct services *r,
                                      const struct service_config *service);

/* Closes the ensembles that no service uses any more. */
void services_close_unused(struct services *r);

/* Has <s> follow its hold, if it has one. */
void services_use_hold(const struct services *r, const struct service *s);

/* Tells statsd that the checks of <s> end, and why. */
void services_count_reap(const struct services *r, const struct service *s,
                         const char *reason);

/* From now on looks for services whose successors are registered, until none is
 * left. */
void services_settle(struct services *r);

#endif
