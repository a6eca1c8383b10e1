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

#include <jansson.h>

#include "nerve/checks/check.h"

struct config;
struct ensemble;
struct event;
struct handover;
struct holds;
struct log;
struct queue;
struct roster;
struct service;
struct worker;

/* What services run on; all borrowed. */
struct roster_env {
    struct check_env check;
    struct queue *queue;
    struct worker *worker; /* closes handles */
    struct log *log;
    const struct holds *holds;
};

/* Returns an empty roster, owned by the caller, or NULL without memory. */
struct roster *roster_new(const struct roster_env *env);

/* Runs the services of <config>, and shows its credentials, from now on, and
 * says what changes when <said>; <config> loses both. Returns 0, or -1 without
 * memory; then nothing has changed. */
int roster_apply(struct roster *r, struct config *config, bool said);

/* Adds what another process needs to go on with the services to <all>
 * (handover.h). Returns 0, or -1 without memory. */
int roster_save(const struct roster *r, json_t *all);

/* Goes on with the services of another process, out of <from>, which loses what
 * is in it; <r> is empty. The roster_apply() that must follow begins their
 * checks. Returns 0, or -1 without memory. */
int roster_restore(struct roster *r, struct handover *from);

/* Ends all checks that run without a result, and starts none until
 * roster_resume(). */
void roster_pause(struct roster *r);
void roster_resume(struct roster *r);

/* Does as the holds say, which have changed. */
void roster_use_holds(struct roster *r);

/* Takes note of <ev>. */
void roster_absorb(struct roster *r, struct event *ev);

/* Returns the service <index> that runs, or NULL beyond the last one; borrowed
 * until the next turn of the loop. Those that are leaving are among them. */
const struct service *roster_service(const struct roster *r, size_t index);

/* The same for the ensembles. */
const struct ensemble *roster_ensemble(const struct roster *r, size_t index);

/* Ends all checks; nothing is to be registered any more. */
void roster_leave(struct roster *r);

/* Tells whether nothing is registered any more, or all is closed. */
bool roster_has_left(const struct roster *r);

/* Closes the sessions; the services are left as they are. */
void roster_close(struct roster *r);

/* Tells whether the sessions were closed, or there never was one. */
bool roster_is_closed(const struct roster *r);

/* Frees <r>, which is closed, when the loop has run out of handles. NULL is
 * allowed. */
void roster_free(struct roster *r);

#endif
