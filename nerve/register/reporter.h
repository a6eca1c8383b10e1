/* reporter.h - keeps the registration of one service as it is wanted
 *
 * It holds what is wanted and what ZooKeeper has acknowledged, compares them
 * after every event (registration.h), and sends one request at a time.
 * Loop thread only; times are the loop's, in milliseconds.
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
    unsigned int drain_ms; /* out: so long it stays, with weight 0 */
};

/* Returns a reporter for <service> that wants nothing yet; keeps <service> and
 * <log> borrowed. Owned by the caller, or NULL without memory. */
struct reporter *reporter_new(const struct service_config *service,
                              struct log *log);

/* Frees <r>; a registration is left as it is. NULL is allowed. */
void reporter_free(struct reporter *r);

/* Copies what <r> knows to <known>, all borrowed until the next call but this,
 * <wanted> as the checks say, so that another process can go on. Returns
 * whether <r> was told what is wanted. */
bool reporter_save(const struct reporter *r, struct registration *known);

/* Goes on where another process was: <known>, whose znodes it takes, and
 * <told> are what reporter_save() gave there. <r> is new. */
void reporter_restore(struct reporter *r, struct registration *known,
                      bool told);

/* Uses <session>, which is not connected yet, from now on; keeps it borrowed.
 * NULL: none any more. */
void reporter_attach(struct reporter *r, struct session *session);

/* Says whether the service is up: then it is to be registered, unless an
 * operator has taken it out. */
void reporter_want(struct reporter *r, bool registered, int64_t now_ms);

/* Does as <order> says from now on: takes the service out, weight 0 first, or
 * publishes another weight. NULL: neither. The same one again changes
 * nothing. */
void reporter_obey(struct reporter *r, const struct reporter_order *order,
                   int64_t now_ms);

/* Uses <service>, which it keeps borrowed in the place of the one before, from
 * now on; its registration is the same, and so is its data if <same>. The step
 * that this may need is taken with the next event or tick. */
void reporter_update(struct reporter *r, const struct service_config *service,
                     bool same);

/* Takes note of <ev>, an event of the session; ignores an answer that it does
 * not await. */
void reporter_absorb(struct reporter *r, const struct event *ev,
                     int64_t now_ms);

/* Lets time pass: takes steps that were put off. */
void reporter_tick(struct reporter *r, int64_t now_ms);

/* Tells whether the service is registered, as far as is known. */
bool reporter_is_registered(const struct reporter *r);

/* Tells whether the session is connected. */
bool reporter_is_connected(const struct reporter *r);

/* Tells whether ZooKeeper has confirmed what is wanted: the registration as it
 * is to be, or that there is none. */
bool reporter_is_settled(const struct reporter *r);

/* Returns what is published, or would be, borrowed until the next call. */
const char *reporter_payload(const struct reporter *r);

/* Returns the znode's path, borrowed until the next call, or NULL: nothing is
 * registered. */
const char *reporter_path(const struct reporter *r);

/* Returns why ZooKeeper does not have what is wanted, in words for people,
 * borrowed until the next call but this; or NULL: nothing is known to hinder
 * it. */
const char *reporter_trouble(const struct reporter *r);

/* Tells whether a hold says what is published, or that nothing is. */
bool reporter_is_held(const struct reporter *r);

/* Tells whether a znode of another session is where the registration goes. */
bool reporter_is_blocked(const struct reporter *r);

/* Tells whether the service is to be registered: it is up, and no operator has
 * taken it out. */
bool reporter_is_wanted(const struct reporter *r);

/* Tells whether nothing is registered and nothing is under way. */
bool reporter_is_gone(const struct reporter *r);

#endif
