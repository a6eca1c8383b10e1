/* session.h - ZooKeeper sessions: open, close, and every asynchronous request
 *
 * A session is one identity with an ensemble. It outlives handles of the client
 * library: it is dead only when a server answers that it expired or that its
 * credentials are wrong. After one session timeout of silence the handle alone
 * is replaced and the new one resumes the same session.
 *
 * A session reports everything as events in one queue. The reader pops an event
 * and gives it to session_absorb() of the session that it names; what
 * session_absorb() returns true for is news for the reader.
 *
 * All functions: loop thread (the one that reads the queue), unless said.
 * Request functions return the request's number (above 0), or a negative code
 * when the request was refused at once: SESSION_INVALID_STATE when the session
 * is not connected, SESSION_NO_MEMORY. The EVENT_REPLY with that number always
 * comes, exactly once, also when the handle is replaced or lost (its code is
 * then SESSION_LOST: a write may or may not have happened). Only
 * session_close() ends a request without one.
 *
 * Requests beyond what the server answers soon (window.h) wait in the session
 * and are sent in order; credentials do not wait.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_SESSION_H
#define CSRC_ZOOKEEPER_SESSION_H

#include "csrc/base/event.h"
#include "csrc/zookeeper/protocol.h"

struct error;
struct queue;
struct session;
struct worker;

struct session_options {
    const char *hosts;    /* numeric "10.0.0.1:2181,[::1]:2181"[/chroot] */
    int timeout_ms;       /* session timeout asked for; 0: 10,000 */
    size_t max_data;      /* bytes of a znode that are copied; 0: 65,536 */
    size_t max_in_flight; /* requests with the server at once, at most;
                           * 0: 64 */
    const struct session_identity *resume; /* NULL: a new session */
};

/* Opens a session over <queue>, closing handles on <worker>; keeps both
 * borrowed, they must outlive it. Returns it owned by the caller, or NULL with
 * <err>. Only its first threads can fail to start; then a SESSION_NO_THREADS
 * event comes and session_tick() tries again with back-off. */
struct session *session_open(struct queue *queue, struct worker *worker,
                             const struct session_options *options,
                             struct error *err);

/* Ends the session: its ephemeral znodes go at once when it is connected.
 * The handle is closed on the worker; no event of <s> is news any more. Takes
 * <s>. NULL is allowed. */
void session_close(struct session *s);

/* Returns the number that events of <s> carry. */
uint32_t session_number(const struct session *s);

/* Takes note of <ev>, which names <s>. Returns true when the event is news for
 * the reader, false when it is stale (of a handle since replaced). */
bool session_absorb(struct session *s, struct event *ev);

/* Lets time pass: replaces a silent handle, opens the next one after an
 * expiry, all with back-off. Call it a few times a second. */
void session_tick(struct session *s);

/* Uses <hosts> (numeric, as in the options) from now on. Where they are other
 * servers, a handle that is not connected is replaced at once, another one when
 * it loses its connection. Returns 0, or -1 without memory. */
int session_set_hosts(struct session *s, const char *hosts);

/* Returns the state last reported by an absorbed event. */
enum session_state session_state(const struct session *s);

/* Returns the session's id, 0 before the first connection. */
int64_t session_client_id(const struct session *s);

/* Returns what resumes the session; its id is 0 before the first connection.
 * A process that hands it to another must not call session_close(), but exit:
 * a close would end the session for both. */
struct session_identity session_identity(const struct session *s);

/* Returns the numeric addresses in use, IPv6 without brackets; borrowed until
 * the next call but this. */
const char *session_hosts(const struct session *s);

/* Returns the chroot that ends session_hosts(), "" for none; borrowed as
 * that. */
const char *session_chroot(const struct session *s);

/* Returns the negotiated session timeout in milliseconds, 0 before the first
 * connection. */
int session_timeout(const struct session *s);

/* Returns how many requests wait or are in flight. */
size_t session_pending(const struct session *s);

/* Returns how many requests more would be sent at once: 0 when others wait, or
 * while there is no connection. */
size_t session_room(const struct session *s);

/* Requests. <watch>: whether a watch is set by the read. */
int64_t session_get_children(struct session *s, const char *path, bool watch);
int64_t session_get(struct session *s, const char *path, bool watch);
int64_t session_exists(struct session *s, const char *path, bool watch);
/* <mode>: enum create_mode. The created path is in the reply's <data>. */
int64_t session_create(struct session *s, const char *path, const char *data,
                       size_t length, int mode);
/* <version> -1: any. */
int64_t session_set(struct session *s, const char *path, const char *data,
                    size_t length, int version);
int64_t session_delete(struct session *s, const char *path, int version);
int64_t session_sync(struct session *s, const char *path);
/* Adds credentials, for this and every later handle of <s>; they are copied
 * and never logged. Returns 0 when they wait for the next connection. */
int64_t session_add_auth(struct session *s, const char *scheme,
                         const char *credentials, size_t length);

/* Returns words for <code>, static, or until the next call by this thread. Any
 * thread. */
const char *session_strerror(int code);

/* Returns a word for <state>, static: "connected", ... Any thread. */
const char *session_state_name(enum session_state state);

/* Sends the client library's log lines of all sessions, rate-limited, to
 * <queue> as EVENT_LOG; NULL drops them. They never reach stderr. Keeps
 * <queue> borrowed. The library's log callback carries no context, so this is
 * one setting for the process. */
void session_log_to(struct queue *queue);

/* Drops the lines from now on if they went to <queue>, which may then be
 * freed. */
void session_log_stop(struct queue *queue);

#endif
