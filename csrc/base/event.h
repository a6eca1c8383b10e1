/* event.h - something that happened, as an owned copy
 *
 * Events are what crosses from ZooKeeper's threads and from the workers to the
 * one thread that reads a queue. All pointers in an event are owned by it.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_EVENT_H
#define CSRC_BASE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_type {
    EVENT_SESSION = 0, /* <state>, <link>, <timeout_ms>, <client_id>, <code>:
                        * what a server said that ended the connection, or 0 */
    EVENT_REPLY,       /* answers request <request>: <op>, <code>, ... */
    EVENT_WATCH,       /* <change> at <path>; the watch is spent */
    EVENT_LOG,         /* the client library's line: <level>, <data>, <count>:
                        * lines that were dropped before it */
    EVENT_ANSWER,      /* runtime API: <request>, <code>, <data> */
    EVENT_JOB,         /* a worker's job ended: <request>, <code> (errno) */
    EVENT_ADDRESSES,   /* names were resolved: <request>, <data>: the addresses,
                        * or NULL; <missing>: names that have none, and why */
    EVENT_FILES,       /* files that are followed have changed */
    EVENT_OVERFLOW     /* events were dropped: read everything again */
};

/* States that a session reports. */
enum session_state {
    SESSION_CONNECTING = 0, /* not connected; servers stay as they are */
    SESSION_CONNECTED,
    SESSION_UNKNOWN, /* silent for a session timeout; may live on there */
    SESSION_EXPIRED, /* a server said so; a new session is being opened */
    SESSION_AUTH_FAILED,
    SESSION_NO_THREADS /* threads cannot be made here; see session.h */
};

/* What SESSION_CONNECTED means for watches and registrations. */
enum session_link {
    LINK_NONE = 0,
    LINK_SAME_HANDLE, /* watches live on: read lists again */
    LINK_NEW_HANDLE,  /* same session, ephemerals live; watches are gone */
    LINK_NEW_SESSION  /* watches and ephemeral znodes are gone */
};

enum event_op {
    OP_GET_CHILDREN = 0,
    OP_GET,
    OP_EXISTS,
    OP_CREATE,
    OP_SET,
    OP_DELETE,
    OP_SYNC,
    OP_ADD_AUTH
};

enum event_change {
    CHANGE_CREATED = 0,
    CHANGE_DELETED,
    CHANGE_DATA,
    CHANGE_CHILDREN
};

enum event_level { LEVEL_ERROR = 0, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/* The fields of a znode's Stat that Myelin uses; times are milliseconds since
 * the epoch by the server's clock. */
struct znode_stat {
    int64_t czxid;
    int64_t mzxid;
    int64_t ctime;
    int64_t mtime;
    int64_t ephemeral_owner; /* 0: not ephemeral */
    int32_t version;
    int32_t data_length; /* before any cut */
    int32_t num_children;
};

struct event {
    struct event *next; /* owned by the queue while it is in there */
    enum event_type type;
    uint32_t session;       /* number of the session, 0 when of none */
    uint32_t generation;    /* of the handle, 0 of none; the session's own */
    uint64_t request;       /* number that the request call returned, or 0 */
    struct request *origin; /* borrowed; for the session alone */
    enum event_op op;
    int code; /* ZooKeeper's (0 or negative), or errno for jobs */
    enum session_state state;
    enum session_link link;
    enum event_change change;
    enum event_level level;
    bool has_cause;    /* EVENT_LOG: <data> ends with the likely cause */
    int timeout_ms;    /* EVENT_SESSION: negotiated session timeout */
    int64_t client_id; /* EVENT_SESSION: the session's id */
    char *path;        /* owned; of the request or watch, or NULL */
    char *data;        /* owned; NUL-terminated, or NULL */
    size_t length;     /* bytes of <data> */
    char *missing;     /* owned; or NULL */
    char **children;   /* owned; <count> names, all in this one block */
    size_t count;      /* of children, or of dropped lines */
    struct znode_stat stat;
    int64_t time_us;  /* monotonic clock when the event was made */
    int64_t asked_us; /* EVENT_REPLY: when the request was */
};

/* Returns a new event of <type>, zeroed but for <time_us>, owned by the
 * caller, or NULL without memory. Any thread. */
struct event *event_new(enum event_type type);

/* Frees <ev> and all it owns. NULL is allowed. */
void event_free(struct event *ev);

#endif
