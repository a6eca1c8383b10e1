/* runtime_api.c - sends commands to HAProxy's runtime API, reads the answers
 *
 * A Lua socket of HAProxy 2.6 stalls on any answer longer than one buffer
 * (16 kB), so a worker reads the answers. Each line of commands has its own
 * connection, which HAProxy closes after the last command. The line is sent in
 * one write, because HAProxy cuts a batch that arrives in pieces. Sending never
 * blocks. If no other exchange is under way, the loop thread sends the line at
 * once, so that no command waits for the worker to wake.
 *
 *   loop thread    command_send(); begin(), if no exchange is under way
 *   worker thread  exchange_job(); begin(), if the exchange had to wait
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "csrc/base/clock.h"
#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "csrc/haproxy/channel.h"
#include "csrc/haproxy/runtime_api.h"

#define ANSWER_MAX ((size_t)64 << 20)

struct exchange {
    struct queue *queue;     /* borrowed */
    struct channel *channel; /* borrowed */
    struct event *answer;    /* owned until it is pushed */
    char *line;              /* owned */
    int fd;                  /* owned; -1 before begin() and after a failure */
    bool begun;
    int reason; /* errno, why it failed */
    int timeout_ms;
};

static void close_exchange(struct exchange *x) {
    if (x->fd != -1)
        close(x->fd);
    x->fd = -1;
}

static void exchange_free(void *data) {
    struct exchange *x = data;

    close_exchange(x);
    event_free(x->answer);
    free(x->line);
    free(x);
}

/* Waits for <events> on <fd> until <deadline>. Returns 0 or errno. */
static int await(int fd, short events, int64_t deadline) {
    struct pollfd wanted = {.fd = fd, .events = events};
    int64_t left = deadline - clock_ms();
    int rc = poll(&wanted, 1, left > 0 ? (int)left : 0);

    if (rc == -1)
        return errno;
    return rc == 0 ? ETIMEDOUT : 0;
}

/* Doubles the room of <ev>. Returns 0 or errno. */
static int grow(struct event *ev, size_t *size) {
    size_t wanted = *size == 0 ? 4096 : *size * 2;
    char *data;

    if (wanted > ANSWER_MAX)
        return EFBIG;
    data = realloc(ev->data, wanted);
    if (!data)
        return ENOMEM;
    data[ev->length] = '\0';
    ev->data = data;
    *size = wanted;
    return 0;
}

/* Reads into <ev> until HAProxy closes <fd>. Returns 0 or errno. */
static int read_all(int fd, struct event *ev, int64_t deadline) {
    size_t size = 0;
    ssize_t got;
    int reason;

    for (;;) {
        if (ev->length + 1 >= size && (reason = grow(ev, &size)) != 0)
            return reason;
        reason = await(fd, POLLIN, deadline);
        if (reason != 0)
            return reason;
        got = read(fd, ev->data + ev->length, size - ev->length - 1);
        if (got == -1)
            return errno;
        ev->length += (size_t)got;
        ev->data[ev->length] = '\0';
        if (got == 0)
            return 0;
    }
}

/* Connects and sends. The socket always takes as much as one buffer of HAProxy
 * at once, so a line of which a part is left is too long. */
static void begin(struct exchange *x) {
    size_t length = strlen(x->line);
    ssize_t sent;

    x->begun = true;
    x->fd = channel_connect(x->channel);
    if (x->fd == -1) {
        x->reason = errno;
        return;
    }
    sent = send(x->fd, x->line, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == -1)
        x->reason = errno;
    else if ((size_t)sent != length)
        x->reason = EMSGSIZE;
}

static void exchange_job(void *data) {
    struct exchange *x = data;
    int64_t deadline = clock_ms() + x->timeout_ms;

    if (!x->begun)
        begin(x);
    if (x->reason == 0)
        x->reason = read_all(x->fd, x->answer, deadline);
    x->answer->code = x->reason;
    close_exchange(x);
    queue_push(x->queue, x->answer);
    x->answer = NULL;
    exchange_free(x);
}

int command_send(struct worker *worker, struct queue *queue,
                 struct channel *channel, const char *text, uint32_t request,
                 int timeout_ms) {
    struct exchange *x = calloc(1, sizeof(*x));

    if (!x)
        return -1;
    x->queue = queue;
    x->channel = channel;
    x->fd = -1;
    x->timeout_ms = timeout_ms;
    x->answer = event_new(EVENT_ANSWER);
    if (!x->answer || asprintf(&x->line, "%s\n", text) == -1) {
        x->line = NULL;
        exchange_free(x);
        errno = ENOMEM;
        return -1;
    }
    x->answer->request = request;
    if (worker_start(worker) == 0 && worker_pending(worker) == 0)
        begin(x);
    return worker_run(worker, exchange_job, exchange_free, x);
}
