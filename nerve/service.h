/* service.h - one service at work: its settings, its watcher, its reporter
 *
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICE_H
#define NERVE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

struct check_env;
struct ensemble;
struct log;
struct reporter;
struct service_config;
struct watcher;

struct service {
    struct service_config *config; /* owned */
    struct ensemble *ensemble;     /* borrowed */
    struct reporter *reporter;     /* owned */
    struct watcher *watcher;       /* owned; NULL: it is leaving */
    struct service *successor;     /* borrowed; goes when that is registered */
};

/* Returns a service as <config>, which it takes, says, not started; it uses
 * <ensemble>, which it keeps borrowed as it does what is in <env> and <log>.
 * Owned by the caller, or NULL without memory. */
struct service *service_new(struct service_config *config,
                            struct ensemble *ensemble,
                            const struct check_env *env, struct log *log);

/* Uses <config>, which it takes, from now on: the registration is the same,
 * but for its data. <watcher>, which it takes, is of <config> and not started;
 * NULL: the checks are the same, and go on. */
void service_renew(struct service *s, struct service_config *config,
                   struct watcher *watcher);

/* Ends the checks; nothing is to be registered any more. */
void service_leave(struct service *s, int64_t now_ms);

/* Tells whether <s>, which has a successor, need not stay registered: that one
 * is, or waits for its place, or <s> itself is not. */
bool service_may_leave(const struct service *s);

/* Tells whether <s> has left: nothing is registered any more. */
bool service_has_left(const struct service *s);

/* Frees <s>; a registration is left as it is. NULL is allowed. */
void service_free(struct service *s);

#endif
