/* session_send.c - what a session sends: in which order, and how much at once
 *
 * Requests wait for their turn, credentials do not. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#include "csrc/base/clock.h"
#include "csrc/base/queue.h"
#include "csrc/zookeeper/credentials.h"
#include "csrc/zookeeper/event.h"
#include "csrc/zookeeper/handle.h"
#include "csrc/zookeeper/session_parts.h"

void session_answer(struct session *s, struct request *r, int code) {
    struct event *ev = r->lost;

    r->lost = NULL;
    ev->session = s->number;
    ev->code = code;
    ev->time_us = clock_us();
    queue_push(s->queue, ev);
}

void session_fail_waiting(struct session *s) {
    while (s->waiting.head) {
        struct request *r = s->waiting.head;

        request_remove(&s->waiting, r);
        session_answer(s, r, SESSION_LOST);
        request_free(r);
    }
}

/* Sends <r>, which it takes. Returns 0 or ZooKeeper's code, which is then the
 * answer. */
static int send(struct session *s, struct request *r) {
    int code = handle_send(s->handle, r);

    if (code != 0) {
        session_answer(s, r, code);
        request_free(r);
    }
    return code;
}

void session_pump(struct session *s) {
    while (s->waiting.head && s->state == SESSION_CONNECTED &&
           handle_in_flight(s->handle) < s->max_in_flight) {
        struct request *r = s->waiting.head;

        request_remove(&s->waiting, r);
        send(s, r);
    }
}

static void send_internal(struct session *s, enum event_op op, const char *path,
                          const char *data, size_t length) {
    struct request *r = request_new(op, 0, path, data, length);

    if (r && handle_send(s->handle, r) != 0)
        request_free(r);
}

/* Credentials that this handle was not given yet (the library repeats the
 * others), and a sync, because this server may be behind what the session has
 * seen. */
void session_prepare(struct session *s) {
    struct credentials *c;

    for (c = s->credentials; c; c = c->next) {
        if (c->generation == s->generation)
            continue;
        c->generation = s->generation;
        send_internal(s, OP_ADD_AUTH, c->scheme, c->secret, c->length);
    }
    send_internal(s, OP_SYNC, "/", NULL, 0);
}

size_t session_pending(const struct session *s) {
    return s->waiting.count + (s->handle ? handle_in_flight(s->handle) : 0);
}

/* Gives <r> its number, and returns that. */
static uint32_t give_number(struct session *s, struct request *r) {
    r->reply->request = r->lost->request = queue_number(s->queue);
    return (uint32_t)r->reply->request;
}

int64_t session_submit(struct session *s, struct request *r) {
    uint32_t number;

    if (!r)
        return SESSION_NO_MEMORY;
    if (s->state != SESSION_CONNECTED) {
        request_free(r);
        return SESSION_INVALID_STATE;
    }
    number = give_number(s, r);
    request_append(&s->waiting, r);
    session_pump(s);
    return number;
}

/* They do not wait: what waits is lost with the connection, and the library
 * repeats only what it was given. */
int64_t session_add_auth(struct session *s, const char *scheme,
                         const char *secret, size_t length) {
    struct credentials *c =
        credentials_add(&s->credentials, scheme, secret, length);
    struct request *r;
    uint32_t number;

    if (!c)
        return SESSION_NO_MEMORY;
    if (s->state != SESSION_CONNECTED)
        return 0;
    r = request_new(OP_ADD_AUTH, 0, scheme, secret, length);
    if (!r)
        return SESSION_NO_MEMORY;
    number = give_number(s, r);
    if (send(s, r) == 0)
        c->generation = s->generation;
    return number;
}
