/* reporter_state.h - what a reporter is made of; for reporter*.c alone
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_REPORTER_STATE_H
#define NERVE_REGISTER_REPORTER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "nerve/register/drain.h"
#include "nerve/register/plan.h"
#include "nerve/register/published.h"
#include "nerve/register/ttl.h"

struct event;
struct log;
struct service_config;
struct session;

struct reporter {
    struct wording wording;
    const struct service_config *service; /* borrowed from <wording> */
    struct log *log;                      /* borrowed */
    struct session *session;              /* borrowed, or NULL */
    bool up;                              /* what the checks say */
    struct drain drain;
    struct registration registration;
    uint64_t request;            /* the one in flight */
    enum registration_step step; /* that it carries out */
    bool stale;                  /* it was made in a session since lost */
    bool outdated;               /* the data has changed since it was made */
    int last_error;              /* ZooKeeper's code that was logged last */
    bool told;                   /* what the checks say */
    bool blocked;                /* a znode of another session is in the way */
    struct ttl ttl;              /* of its persistent znode */
};

/* Folds <ev>, a server's answer to the step under way, into what is known. Loop
 * thread. */
void reporter_learn(struct reporter *r, const struct event *ev, int64_t now_ms);

/* Notes that the registration <path> is gone as <r> wanted. Loop thread. */
void reporter_note_removed(struct reporter *r, const char *path);

/* Notes that the znode <path> is not there any more, if that is news, and that
 * it was not our doing: both a watch and an answer may say so. Loop thread. */
void reporter_lose_znode(struct reporter *r, const char *path, int64_t now_ms);

/* Puts the next step off after <code>, a failure that was no loss of
 * connection, and says so when it is not what was said last. Loop thread. */
void reporter_fail(struct reporter *r, int code, int64_t now_ms);

#endif
