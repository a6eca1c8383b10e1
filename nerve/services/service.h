/* service.h - one service at work: its settings, its watcher, its reporter
 *
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_SERVICE_H
#define NERVE_SERVICES_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

struct check_env;
struct error;
struct ensemble;
struct handover_service;
struct hold;
struct log;
struct reporter;
struct service_config;
struct standing;
struct watcher;

struct service {
    struct service_config *config; /* owned */
    struct ensemble *ensemble;     /* borrowed */
    struct reporter *reporter;     /* owned */
    struct watcher *watcher;       /* owned, or NULL */
    struct standing *before;       /* owned; of a service_restore(), or NULL */
    struct service *successor;     /* borrowed; goes when that is registered */
};

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
struct service *service_restore(struct handover_service *from,
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

/* Tells whether <s>, which has a successor, need not stay registered: that one
 * is, or waits for its place, or <s> itself is not, and is not to be. */
bool service_may_leave(const struct service *s);

/* Tells whether <s> is there to stay: it is not leaving, and nothing is to take
 * its place. */
bool service_is_current(const struct service *s);

/* Tells whether <s> has left: nothing is registered any more. */
bool service_has_left(const struct service *s);

/* Frees <s>; a registration is left as it is. NULL is allowed. */
void service_free(struct service *s);

#endif
