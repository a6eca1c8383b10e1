/* fake_handle.c - handle.h without the client library
 *
 * Included by a test: the archive's handle is then left out by the linker. The
 * test is the server: it connects, loses and expires handles and answers their
 * requests. Handles are remembered until fake_handle_reset(), also when they
 * are closed.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/queue.h"
#include "csrc/zookeeper/handle.h"

#define FAKE_HANDLES 64

struct handle {
    struct queue *queue; /* borrowed */
    uint32_t session;
    uint32_t generation;
    char hosts[256];
    struct session_identity resume; /* id 0: a new session */
    struct session_identity identity;
    int timeout_ms;
    bool connected;
    bool abandoned;
    unsigned int rounds; /* through all servers, in vain */
    bool closed;
    bool connected_when_closed;
    struct request_list in_flight; /* owned */
};

static struct handle fake_handles[FAKE_HANDLES];
static int fake_handles_made;
static int fake_opens_failed;
static int fake_open_error;  /* errno of the next opens, 0: they work */
static int fake_send_code;   /* code of the next sends, 0: they work */
static int fake_negotiated;  /* milliseconds, 0: what is asked for */
static int64_t fake_next_id; /* of the session that a server makes next */

static inline void fake_handle_reset(void) {
    memset(fake_handles, 0, sizeof(fake_handles));
    fake_handles_made = 0;
    fake_opens_failed = 0;
    fake_open_error = 0;
    fake_send_code = 0;
    fake_negotiated = 0;
    fake_next_id = 0x1001;
}

/* Returns the handle opened last. */
static inline struct handle *fake_handle(void) {
    return &fake_handles[fake_handles_made - 1];
}

static void fake_push(struct handle *h, struct event *ev) {
    ev->session = h->session;
    ev->generation = h->generation;
    queue_push(h->queue, ev);
}

static void fake_say(struct handle *h, enum session_state state) {
    struct event *ev = event_new(EVENT_SESSION);

    ev->state = state;
    fake_push(h, ev);
}

/* The server resumes the session that the handle asks for, or makes one. */
static inline void fake_connect(struct handle *h) {
    if (h->identity.id == 0) {
        h->identity.id = fake_next_id++;
        memset(h->identity.password, 'p', sizeof(h->identity.password));
    }
    h->connected = true;
    fake_say(h, SESSION_CONNECTED);
}

/* The server answers <r> with <code>, as the library's threads would. */
static inline void fake_reply(struct request *r, int code) {
    struct event *ev = r->reply;

    r->reply = NULL;
    ev->code = code;
    ev->origin = r;
    ev->time_us = clock_us();
    fake_push(r->handle, ev);
}

/* The connection breaks; the library says so, and then answers what was in
 * flight. */
static inline void fake_lose(struct handle *h) {
    h->connected = false;
    fake_say(h, SESSION_CONNECTING);
    for (struct request *r = h->in_flight.head; r; r = r->next)
        if (r->reply)
            fake_reply(r, SESSION_LOST);
}

static inline void fake_die(struct handle *h, enum session_state state) {
    h->connected = false;
    fake_say(h, state);
}

struct handle *handle_open(const struct handle_options *options) {
    struct handle *h;

    if (fake_open_error != 0 || fake_handles_made == FAKE_HANDLES) {
        fake_opens_failed++;
        errno = fake_open_error;
        return NULL;
    }
    h = &fake_handles[fake_handles_made++];
    h->queue = options->queue;
    h->session = options->session;
    h->generation = options->generation;
    strncpy(h->hosts, options->hosts, sizeof(h->hosts) - 1);
    h->timeout_ms = fake_negotiated ? fake_negotiated : options->timeout_ms;
    if (options->resume)
        h->resume = *options->resume;
    h->identity = h->resume;
    return h;
}

int handle_send(struct handle *h, struct request *r) {
    if (fake_send_code != 0)
        return fake_send_code;
    r->handle = h;
    request_append(&h->in_flight, r);
    return 0;
}

void handle_finish(struct handle *h, struct request *r) {
    request_remove(&h->in_flight, r);
    request_free(r);
}

size_t handle_in_flight(const struct handle *h) { return h->in_flight.count; }

struct request *handle_requests(struct handle *handle) {
    return handle->in_flight.head;
}

struct session_identity handle_identity(const struct handle *h) {
    return h->identity;
}

int handle_timeout(const struct handle *h) { return h->timeout_ms; }

unsigned int handle_rounds(const struct handle *h) { return h->rounds; }

bool handle_abandon(struct handle *h) {
    h->abandoned = !h->connected;
    return h->abandoned;
}

void handle_close(struct handle *h, struct worker *w) {
    (void)w;
    h->closed = true;
    h->connected_when_closed = h->connected;
    while (h->in_flight.head) {
        struct request *r = h->in_flight.head;

        request_remove(&h->in_flight, r);
        request_free(r);
    }
}

const char *handle_strerror(int code) { return code ? "an error" : "ok"; }
