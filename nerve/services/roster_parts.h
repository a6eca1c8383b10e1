/* roster_parts.h - what roster*.c share; for them alone
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_ROSTER_PARTS_H
#define NERVE_SERVICES_ROSTER_PARTS_H

#include "nerve/services/services.h"

struct ensemble;
struct ensemble_env;
struct service;
struct service_config;

struct roster {
    struct roster_env env;
    struct service **services; /* owned, with its members */
    size_t count;
    struct ensemble **ensembles; /* owned, with its members */
    size_t ensemble_count;
    char *auth;        /* owned; what sessions show, or NULL */
    uv_timer_t settle; /* runs while a service waits to leave */
    bool open;         /* it is still to be closed */
};

/* Returns what ensembles with this session timeout run on. */
struct ensemble_env roster_ensemble_env(const struct roster *r,
                                        int session_timeout_ms);

/* Adds <e>, which it takes unless it is NULL. Returns it, or NULL without
 * memory. */
struct ensemble *roster_add_ensemble(struct roster *r, struct ensemble *e);

/* Returns the ensemble of <service>, a new one if need be, borrowed; or NULL
 * without memory. */
struct ensemble *roster_ensemble_of(struct roster *r,
                                    const struct service_config *service);

/* Closes the ensembles that no service uses any more. */
void roster_close_unused(struct roster *r);

/* Does with <s> as an operator has said. */
void roster_use_hold(const struct roster *r, const struct service *s);

/* Tells statsd that the checks of <s> end, and why. */
void roster_count_reap(const struct roster *r, const struct service *s,
                       const char *reason);

/* Looks from now on for services whose successors are registered, until none
 * is left. */
void roster_settle(struct roster *r);

#endif
