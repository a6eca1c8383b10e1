/* ensemble.h - one session for each distinct zk_hosts, and its users
 *
 * Looks up the servers' names without blocking the loop, opens the session,
 * drives its timers, logs its state, and shows its events to the reporters.
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_ENSEMBLE_H
#define NERVE_REGISTER_ENSEMBLE_H

#include <stdbool.h>

#include <uv.h>

#include "csrc/zookeeper/protocol.h"
#include "nerve/register/write_stats.h"

struct ensemble;
struct event;
struct log;
struct queue;
struct reporter;
struct statsd;
struct worker;

/* What an ensemble needs; all borrowed. */
struct ensemble_env {
    uv_loop_t *loop;
    struct queue *queue;
    struct worker *worker;
    struct log *log;
    struct statsd *statsd; /* or NULL */
    int session_timeout_ms;
    const char *auth; /* "user:password", or NULL; see ensemble_use_auth() */
};

/* What another process needs to resume an ensemble's session. */
struct saved_session {
    const char *ensemble; /* borrowed; zk_hosts */
    int session_timeout_ms;
    const char *hosts; /* borrowed; the numeric addresses in use */
    struct session_identity identity;
};

/* Counts of what has happened so far. */
struct ensemble_counts {
    uint64_t sessions; /* opened */
    uint64_t expired;  /* of them */
    struct writes writes;
};

/* Returns an ensemble of <hosts>. It looks up the names at once and then opens
 * the session. Keeps what is in <env> borrowed. Owned by the caller, or NULL
 * without memory. */
struct ensemble *ensemble_new(const struct ensemble_env *env,
                              const char *hosts);

/* The same, but it resumes another process's session at once. */
struct ensemble *ensemble_resume(const struct ensemble_env *env,
                                 const struct saved_session *session);

/* Copies what resumes the session to <session>; all of it is borrowed until the
 * next call of another function. Returns false if there is no session yet. */
bool ensemble_save(const struct ensemble *e, struct saved_session *session);

/* Shows the credentials <auth> to the servers from now on; keeps them borrowed
 * in place of the previous ones. Not NULL. */
void ensemble_use_auth(struct ensemble *e, const char *auth);

/* Tells whether it has these servers and this session timeout. */
bool ensemble_serves(const struct ensemble *e, const char *hosts,
                     int session_timeout_ms);

/* Returns the servers as the configuration names them; borrowed from <e>. */
const char *ensemble_hosts(const struct ensemble *e);

/* Tells whether its session is connected. */
bool ensemble_is_connected(const struct ensemble *e);

/* Returns why its session is not connected, for people; borrowed until the next
 * event or tick. NULL if the cause is not known. */
const char *ensemble_trouble(const struct ensemble *e);

/* Returns the counts; borrowed from <e>. */
const struct ensemble_counts *ensemble_counts(const struct ensemble *e);

/* Adds a reporter; keeps it borrowed. Returns 0, or -1 without memory. */
int ensemble_add(struct ensemble *e, struct reporter *reporter);

/* Forgets <reporter>. */
void ensemble_remove(struct ensemble *e, const struct reporter *reporter);

/* Tells whether it has any reporter. */
bool ensemble_is_used(const struct ensemble *e);

/* Handles <ev> if it belongs to this ensemble's session, or to no session, and
 * shows it to the reporters. */
void ensemble_absorb(struct ensemble *e, struct event *ev);

/* Tells whether no registration is left, so that nothing delays the end. */
bool ensemble_is_gone(const struct ensemble *e);

/* Ends the session and frees <e>, in a later turn of the loop. NULL is
 * allowed. */
void ensemble_close(struct ensemble *e);

#endif
