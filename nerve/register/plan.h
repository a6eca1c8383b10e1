/* plan.h - what is known of a service's znodes, and the next step
 *
 * At most one znode is wanted; known are the znodes that ZooKeeper has
 * acknowledged. registration_next() compares the two after every event, so a
 * failed, lost or expired step is simply decided again. Pure: no I/O, no clock;
 * it allocates only the list of znodes.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_PLAN_H
#define NERVE_REGISTER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ttl { /* zeroed to start with */
    int64_t due_ms;
};

enum registration_step {
    REGISTRATION_WAIT = 0,
    REGISTRATION_SYNC,        /* before the list, so that it has all commits */
    REGISTRATION_LIST,        /* list the children, for candidates */
    REGISTRATION_INSPECT,     /* read the first candidate: is it ours? */
    REGISTRATION_MAKE_PARENT, /* make the path up to <parent_length> */
    REGISTRATION_CREATE,
    REGISTRATION_CLEAR, /* delete the leftover that is in the way */
    REGISTRATION_SET,   /* the first znode's data */
    REGISTRATION_WATCH, /* the first znode: watch for its deletion */
    REGISTRATION_DELETE /* the last znode */
};

/* A znode of ours. */
struct registered {
    char *path;   /* owned */
    bool current; /* it has the data that we want */
    bool watched;
    bool misnamed; /* its name has old data */
};

struct registration {
    bool wanted;    /* the service is up */
    bool connected; /* to the ensemble */
    bool in_flight; /* a request's answer is awaited */

    struct registered *znodes; /* owned; known to be ours */
    size_t count;

    bool unsettled;    /* a create's answer was lost: we may have more */
    bool synced;       /* since then */
    bool listed;       /* since then */
    char **candidates; /* owned; paths that may be ours */
    size_t candidate_count;

    int64_t search_at_ms; /* to look for an earlier run's; 0: not yet known */
    bool searching;       /* the candidates may be an earlier run's */

    char *leftover;           /* owned; path, or NULL */
    int32_t leftover_version; /* of its data, when it was read */

    size_t parent_length; /* of the path that is missing; 0: none */

    int64_t not_before_ms;   /* no step earlier than this */
    int64_t backoff_ms;      /* after errors; 0: none yet */
    int64_t deletions_ms[3]; /* when others deleted it, newest first */
    unsigned int deletions;  /* how many of these are known, 0 to 3 */
    int64_t deletion_backoff_ms;
};

/* Decides the next step towards the wanted state. */
enum registration_step registration_next(const struct registration *r,
                                         int64_t now_ms);

/* Adds a znode of ours before the misnamed ones. Takes <path>. Returns 0, or -1
 * without memory. */
int registration_add(struct registration *r, char *path, bool current);

/* Forgets the znode <path>. Returns whether it was known. */
bool registration_remove(struct registration *r, const char *path);

/* Adds a znode that may be ours, unless it is known already. Takes <path>.
 * Returns 0, or -1 without memory. */
int registration_add_candidate(struct registration *r, char *path);

/* We may have znodes that are not known: find them first. */
void registration_unsettle(struct registration *r);

/* A znode is in the way at <path>, which it takes: read it. Returns 0, or -1
 * without memory. */
int registration_occupied(struct registration *r, char *path);

/* The znode <path>, which it takes, must be deleted if it still has the
 * <version>. */
void registration_clear(struct registration *r, char *path, int32_t version);

/* The leftover is gone, or was changed. */
void registration_cleared(struct registration *r);

/* All candidates were added. */
void registration_listed(struct registration *r);

/* Once in a session, some time after the registration at <now_ms>, look for
 * what an earlier run left behind. */
void registration_plan_search(struct registration *r, int64_t now_ms);

/* That search's candidates, if any, were added; no other search follows. */
void registration_search(struct registration *r);

/* Returns the first candidate, owned by the caller, and forgets it. There must
 * be one. After the last one everything is known again. */
char *registration_take_candidate(struct registration *r);

/* The znodes' data must change. */
void registration_outdate(struct registration *r);

/* The znode's name must change: a new one is made, and then the others are
 * removed. */
void registration_rename(struct registration *r);

/* The session is gone, and all its znodes are gone too. */
void registration_lose_session(struct registration *r);

/* The handle is a new one, so all watches are gone. */
void registration_lose_watches(struct registration *r);

/* The missing part of <path>, below which our znode goes, exists now: the next
 * part is one level lower. */
void registration_parent_made(struct registration *r, const char *path);

/* The znode, or the part, has no parent: make that first. Returns 0, or -1 if
 * there is nothing above it that could be made. */
int registration_parent_missing(struct registration *r, const char *path);

/* Delays the next step, longer after each failure in a row: 1 to 30 s. Returns
 * the delay. registration_succeeded() ends the row. */
int64_t registration_failed(struct registration *r, int64_t now_ms);

void registration_succeeded(struct registration *r);

/* Notes that somebody else deleted our znode. Returns 0 if it may be made again
 * at once. If it was deleted more than three times within a minute, returns the
 * delay (2 to 30 s, longer each time). */
int64_t registration_deleted(struct registration *r, int64_t now_ms);

/* Frees what <r> holds. */
void registration_close(struct registration *r);

/* Tells whether a write is due, and sets the next one to <every_ms> later. The
 * first writes of many instances are spread by a hash of their <text>. */
bool ttl_is_due(struct ttl *t, unsigned int every_ms, const char *text,
                int64_t now_ms);

#endif
