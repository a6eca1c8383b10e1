/* reporter.h - keeps the registration of one service as it is wanted
 *
 * It keeps what is wanted and what ZooKeeper has acknowledged, compares them
 * after every event (plan.h), and sends one request at a time. Loop thread
 * only; times are the loop's, in milliseconds.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_REPORTER_H
#define NERVE_REGISTER_REPORTER_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct log;
struct reporter;
struct registration;
struct service_config;
struct session;

/* What an operator wants of a registration. */
struct reporter_order {
    bool out;              /* it is taken out; else it has <weight> */
    int64_t weight;        /* published */
    unsigned int drain_ms; /* out: it stays so long, with weight 0 */
};

/* Returns a reporter for <service> that wants nothing yet. Keeps <service> and
 * <log> borrowed. Owned by the caller, or NULL without memory. */
struct reporter *reporter_new(const struct service_config *service,
                              struct log *log);

/* Frees <r> and leaves the registration as it is. NULL is allowed. */
void reporter_free(struct reporter *r);

/* Copies what <r> knows to <known>, so that another process can continue. All
 * of it is borrowed until the next call of another function; <wanted> is the
 * result of the checks. Returns whether they have had a result. */
bool reporter_save(const struct reporter *r, struct registration *known);

/* Continues for another process. <known>, whose znodes it takes, and <told> are
 * what reporter_save() gave there. <r> is new. */
void reporter_restore(struct reporter *r, struct registration *known,
                      bool told);

/* Uses <session>, which is not connected yet, from now on; keeps it borrowed.
 * NULL: no session. */
void reporter_attach(struct reporter *r, struct session *session);

/* Takes the result of the checks: the service is up (<registered>), and is to
 * be registered unless an operator has taken it out, or it is down. */
void reporter_want(struct reporter *r, bool registered, int64_t now_ms);

/* Follows <order> from now on: takes the service out, with weight 0 first, or
 * publishes another weight. NULL: neither. The same order again changes
 * nothing. */
void reporter_obey(struct reporter *r, const struct reporter_order *order,
                   int64_t now_ms);

/* Uses <service> from now on, which it keeps borrowed in place of the previous
 * one. The registration is the same; <same>: its data is, too. The next event
 * or tick takes the necessary step. */
void reporter_update(struct reporter *r, const struct service_config *service,
                     bool same);

/* Handles <ev>, an event of the session; ignores answers to others'
 * requests. */
void reporter_absorb(struct reporter *r, const struct event *ev,
                     int64_t now_ms);

/* Takes the steps that were delayed and are due. */
void reporter_tick(struct reporter *r, int64_t now_ms);

/* Tells whether the service is registered, as far as is known. */
bool reporter_is_registered(const struct reporter *r);

/* Tells whether the session is connected. */
bool reporter_is_connected(const struct reporter *r);

/* Tells whether ZooKeeper has confirmed the wanted state: the registration with
 * its data, or that there is none. */
bool reporter_is_settled(const struct reporter *r);

/* Returns the data that is published, or would be; borrowed until the next
 * call. */
const char *reporter_payload(const struct reporter *r);

/* Returns the znode's path, borrowed until the next call, or NULL if nothing is
 * registered. */
const char *reporter_path(const struct reporter *r);

/* Returns why ZooKeeper does not have the wanted state, for people; borrowed
 * until the next call of another function. NULL if nothing is known to prevent
 * it. */
const char *reporter_trouble(const struct reporter *r);

/* Tells whether an operator's hold decides what is published, or that nothing
 * is. */
bool reporter_is_held(const struct reporter *r);

/* Tells whether a znode of another session is where the registration goes. */
bool reporter_is_blocked(const struct reporter *r);

/* Tells whether the service is to be registered: it is up, and no operator has
 * taken it out. */
bool reporter_is_wanted(const struct reporter *r);

/* Tells whether nothing is registered and no request is in flight. */
bool reporter_is_gone(const struct reporter *r);

#endif
