/* plan.h - what is known of a service's znodes, and the next step
 *
 * Wanted is at most one znode; known are the znodes that ZooKeeper has
 * acknowledged. registration_next() compares the two after every event, so
 * that a failed, lost or expired step is simply decided again. Pure: no I/O,
 * no clock; only the list of znodes is allocated.
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
    REGISTRATION_SYNC,        /* before the list: see what was committed */
    REGISTRATION_LIST,        /* the children, for candidates */
    REGISTRATION_INSPECT,     /* the first candidate: is it ours? */
    REGISTRATION_MAKE_PARENT, /* the path up to <parent_length> */
    REGISTRATION_CREATE,
    REGISTRATION_CLEAR, /* delete the leftover that is in the way */
    REGISTRATION_SET,   /* the first znode's data */
    REGISTRATION_WATCH, /* the first znode: hear of its deletion */
    REGISTRATION_DELETE /* the last znode */
};

/* A znode of ours. */
struct registered {
    char *path;   /* owned */
    bool current; /* its data is what we want it to be */
    bool watched;
    bool misnamed; /* its name says what is no longer so */
};

struct registration {
    bool wanted;    /* the service is up */
    bool connected; /* to the ensemble */
    bool in_flight; /* a request's answer is awaited */

    struct registered *znodes; /* owned; known to be ours */
    size_t count;

    bool unsettled;    /* a create's answer was lost: there may be more */
    bool synced;       /* since then */
    bool listed;       /* since then */
    char **candidates; /* owned; paths that may be ours */
    size_t candidate_count;

    int64_t search_at_ms; /* for what an earlier run left; 0: not yet known */
    bool searching;       /* the candidates are what that may be */

    char *leftover;           /* owned; path, or NULL */
    int32_t leftover_version; /* of its data, when it was looked at */

    size_t parent_length; /* of the path that must be made; 0: none */

    int64_t not_before_ms;   /* no step earlier than this */
    int64_t backoff_ms;      /* after errors; 0: none yet */
    int64_t deletions_ms[3]; /* when somebody else deleted it, newest first */
    unsigned int deletions;  /* how many of these are known, 0 to 3 */
    int64_t deletion_backoff_ms;
};

/* Decides the next step towards what is wanted. */
enum registration_step registration_next(const struct registration *r,
                                         int64_t now_ms);

/* Adds a znode of ours, before those that are misnamed. Takes <path>. Returns
 * 0, or -1 without memory. */
int registration_add(struct registration *r, char *path, bool current);

/* Forgets the znode <path>. Returns whether it was known. */
bool registration_remove(struct registration *r, const char *path);

/* Adds a znode that may be ours, unless it is known. Takes <path>. Returns 0,
 * or -1 without memory. */
int registration_add_candidate(struct registration *r, char *path);

/* There may be znodes of ours that are not known: find them first. */
void registration_unsettle(struct registration *r);

/* A znode is in the way at <path>, which it takes: look at it. Returns 0, or
 * -1 without memory. */
int registration_occupied(struct registration *r, char *path);

/* The znode <path>, which it takes, is to make way; it had the <version>. */
void registration_clear(struct registration *r, char *path, int32_t version);

/* The leftover was dealt with. */
void registration_cleared(struct registration *r);

/* All candidates were added. */
void registration_listed(struct registration *r);

/* Once in a session, some time after the registration at <now_ms>, what an
 * earlier run left behind is searched for. */
void registration_plan_search(struct registration *r, int64_t now_ms);

/* The candidates were added, if any, to be searched; no search follows. */
void registration_search(struct registration *r);

/* Returns the first candidate, owned by the caller, and forgets it. There must
 * be one. With the last one everything is known again. */
char *registration_take_candidate(struct registration *r);

/* What is wanted as the znodes' data has changed. */
void registration_outdate(struct registration *r);

/* The znodes are to have another name: one is made, and then the others are
 * removed. */
void registration_rename(struct registration *r);

/* The session is gone, and all its znodes with it. */
void registration_lose_session(struct registration *r);

/* The handle is a new one: watches are gone. */
void registration_lose_watches(struct registration *r);

/* Of <path>, below which our znode goes, the part that was to be made is there
 * now: the next one is one level lower. */
void registration_parent_made(struct registration *r, const char *path);

/* The znode, or that part, has no parent: make it first. Returns 0, or -1 when
 * there is nothing above it that could be made. */
int registration_parent_missing(struct registration *r, const char *path);

/* Puts the next step off, longer after each failure in a row: 1 to 30 s.
 * Returns for how long. registration_succeeded() ends the row. */
int64_t registration_failed(struct registration *r, int64_t now_ms);

void registration_succeeded(struct registration *r);

/* Notes that somebody else deleted our znode. Returns 0 when it may be made
 * again at once, or for how long that is put off (2 to 30 s, longer each time),
 * because it was deleted more than three times within a minute. */
int64_t registration_deleted(struct registration *r, int64_t now_ms);

/* Frees what <r> holds. */
void registration_close(struct registration *r);

/* Tells whether a write is due, and sets the time of the next one: <every_ms>
 * later. The first ones of many instances are spread by their <text>. */
bool ttl_is_due(struct ttl *t, unsigned int every_ms, const char *text,
                int64_t now_ms);

#endif
