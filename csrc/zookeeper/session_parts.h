/* session_parts.h - what session*.c share; for them alone
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_SESSION_PARTS_H
#define CSRC_ZOOKEEPER_SESSION_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csrc/zookeeper/request.h"
#include "csrc/zookeeper/session.h"

struct credentials;
struct handle;

struct session {
    struct queue *queue;   /* borrowed */
    struct worker *worker; /* borrowed */
    struct handle *handle; /* owned, or NULL */
    uint32_t number;
    uint32_t generation; /* of the handle opened last */
    char *hosts;         /* owned */
    int timeout_ms;      /* asked for */
    int negotiated_ms;   /* 0 before the first connection */
    size_t max_data;
    size_t max_in_flight;
    enum session_state state;
    struct session_identity identity; /* id 0: none to resume */
    bool handle_is_new;               /* it has not been connected yet */
    bool connected_unread;            /* it is, and no event said so yet */
    int64_t open_at_ms;               /* when to open a handle next */
    int64_t backoff_ms;               /* after failing to open one */
    int64_t died_at_ms;               /* last expiry; long ago at first */
    int64_t silent_since_ms;          /* while not connected */
    int64_t losses_since_ms;
    int losses;                      /* of the connection, since then */
    struct request_list waiting;     /* owned */
    struct credentials *credentials; /* owned */
};

/* Numbers <r> and sends it, at once or when others were answered. Takes <r>;
 * NULL stands for no memory. Returns what session.h says of requests. Loop
 * thread. */
int64_t session_submit(struct session *s, struct request *r);

/* Sends what waits, as far as the handle may have it in flight. Loop thread. */
void session_pump(struct session *s);

/* Sends what goes before the first request of a connection. Loop thread. */
void session_prepare(struct session *s);

/* Answers what waits as lost. Loop thread. */
void session_fail_waiting(struct session *s);

/* Pushes the answer that <r> gets when there is no server's: <code>. Loop
 * thread. */
void session_answer(struct session *s, struct request *r, int code);

#endif
