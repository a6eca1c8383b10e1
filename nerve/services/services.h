/* services.h - the services that run, and how a new configuration changes them
 *
 * What is unchanged is not touched. A service whose registration is another
 * one takes over when it is registered: only then does the old one leave.
 * Loop thread only.
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

/* What goes on with a service in another process. */
struct saved_service {
    struct service_config *config; /* what it ran as, without its checks */
    struct registration known; /* of it: <wanted>, <unsettled>, the znodes */
    bool told;                 /* what is wanted */
    bool leaving;              /* its checks have ended for good */
    struct standing standing;  /* unless it is leaving */
};

/* One service at work: its settings, its watcher, its reporter. */
struct service {
    struct service_config *config; /* owned */
    struct ensemble *ensemble;     /* borrowed */
    struct reporter *reporter;     /* owned */
    struct watcher *watcher;       /* owned, or NULL */
    struct standing *before;       /* owned; of a service_restore(), or NULL */
    struct service *successor;     /* borrowed; goes when that is registered */
};

/* What services run on; all borrowed. */
struct services_env {
    struct check_env check;
    struct queue *queue;
    struct worker *worker; /* closes handles */
    struct log *log;
    const struct holds *holds;
};

/* All that runs. Changed by the files of this folder alone; who hands it to
 * another process reads it. */
struct services {
    struct services_env env;
    struct service **services; /* owned, with its members */
    size_t count;
    struct ensemble **ensembles; /* owned, with its members */
    size_t ensemble_count;
    char *auth;        /* owned; what sessions show, or NULL */
    uv_timer_t settle; /* runs while a service waits to leave */
    struct hearing hearing;
    uv_timer_t pulse; /* shows <hearing> that the loop turns */
    bool open;        /* it is still to be closed */
};

/* Returns no services yet, owned by the caller, or NULL without memory. */
struct services *services_new(const struct services_env *env);

/* Runs the services of <config>, and shows its credentials, from now on, and
 * says what changes when <said>; <config> loses both. Returns 0, or -1 without
 * memory; then nothing has changed. */
int services_apply(struct services *r, struct config *config, bool said);

/* Ends all checks that run without a result, and starts none until
 * services_resume(). */
void services_pause(struct services *r);
void services_resume(struct services *r);

/* Does as the holds say, which have changed. */
void services_use_holds(struct services *r);

/* Shows <ev> to all ensembles; each knows which are its own. */
void services_absorb(struct services *r, struct event *ev);

/* Returns the service <index> that runs, or NULL beyond the last one; borrowed
 * until the next turn of the loop. Those that are leaving are among them. */
const struct service *services_at(const struct services *r, size_t index);

/* The same for the ensembles. */
const struct ensemble *services_ensemble(const struct services *r,
                                         size_t index);

/* Ends all checks; nothing is to be registered any more. */
void services_leave(struct services *r);

/* Tells whether nothing is registered any more, or all is closed. */
bool services_has_left(const struct services *r);

/* Closes the sessions; the services are left as they are. */
void services_close(struct services *r);

/* Tells whether the sessions were closed, or there never was one. */
bool services_is_closed(const struct services *r);

/* Frees <r>, which is closed, when the loop has run out of handles. NULL is
 * allowed. */
void services_free(struct services *r);

/* Returns a service as <config>, which it takes, says, not started; it uses
 * <ensemble>, which it keeps borrowed as it does what is in <env> and <log>.
 * Owned by the caller, or NULL without memory. */
struct service *service_new(struct service_config *config,
                            struct ensemble *ensemble,
                            const struct check_env *env, struct log *log);

/* Returns a service that goes on where another process was, out of <from>,
 * which loses what is in it, and under the same <hold>, or NULL; without a
 * watcher, which service_renew() or service_check_on() gives it. Else as
 * service_new(). */
struct service *service_restore(struct saved_service *from,
                                struct ensemble *ensemble,
                                const struct hold *hold, struct log *log);

/* Goes on with the checks of <s>, of a service_restore(), as they were there.
 * Returns 0, or -1 with <err>; then it stays unchecked. */
int service_check_on(struct service *s, const struct check_env *env,
                     struct log *log, struct error *err);

/* Tells whether <s> is leaving: its checks have ended for good. */
bool service_is_leaving(const struct service *s);

/* Uses <config>, which it takes, from now on: the registration is the same,
 * but for its data. <watcher>, which it takes, is of <config> and not started;
 * NULL: the checks are the same, and go on. */
void service_renew(struct service *s, struct service_config *config,
                   struct watcher *watcher);

/* Ends the checks; nothing is to be registered any more. */
void service_leave(struct service *s, int64_t now_ms);

/* Tells whether <s> is there to stay: it is not leaving, and nothing is to take
 * its place. */
bool service_is_current(const struct service *s);

/* Returns why ZooKeeper does not have what is wanted of <s>, in words for
 * people, borrowed until the next event or tick; or NULL: it has, or no more is
 * known. */
const char *service_trouble(const struct service *s);

/* Frees <s>; a registration is left as it is. NULL is allowed. */
void service_free(struct service *s);

/* Returns what ensembles with this session timeout run on. */
struct ensemble_env services_ensemble_env(const struct services *r,
                                          int session_timeout_ms);

/* Adds <e>, which it takes unless it is NULL. Returns it, or NULL without
 * memory. */
struct ensemble *services_add_ensemble(struct services *r, struct ensemble *e);

/* Returns the ensemble of <service>, a new one if need be, borrowed; or NULL
 * without memory. */
struct ensemble *services_ensemble_of(struct services *r,
                                      const struct service_config *service);

/* Closes the ensembles that no service uses any more. */
void services_close_unused(struct services *r);

/* Does with <s> as an operator has said. */
void services_use_hold(const struct services *r, const struct service *s);

/* Tells statsd that the checks of <s> end, and why. */
void services_count_reap(const struct services *r, const struct service *s,
                         const char *reason);

/* Looks from now on for services whose successors are registered, until none
 * is left. */
void services_settle(struct services *r);

#endif
