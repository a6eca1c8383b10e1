/* command.c - commands of HAProxy's runtime API, sent off its threads
 *
 * A Lua socket of HAProxy 2.6 stalls on any answer above one buffer (16 kB),
 * so the answers are read here, on a worker, over a connection of their own:
 * HAProxy closes it after the last command of the line. The line goes out in
 * one write, because HAProxy cuts a batch that arrives in pieces.
 *
 *   loop thread    command_send()
 *   worker thread  exchange_job()
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "csrc/channel.h"
#include "csrc/clock.h"
#include "csrc/command.h"
#include "csrc/event.h"
#include "csrc/queue.h"
#include "csrc/worker.h"

#define ANSWER_MAX ((size_t)64 << 20)

struct exchange {
    struct queue *queue;     /* borrowed */
    struct channel *channel; /* borrowed */
    struct event *answer;    /* owned until it is pushed */
    char *line;              /* owned */
    int timeout_ms;
};

static void exchange_free(void *data) {
    struct exchange *x = data;

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

/* Reads to the end into <ev>. Returns 0 or errno. */
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

static int exchange(struct exchange *x) {
    int64_t deadline = clock_ms() + x->timeout_ms;
    size_t length = strlen(x->line);
    int fd = channel_connect(x->channel);
    int reason = 0;
    ssize_t sent;

    if (fd == -1)
        return errno;
    sent = send(fd, x->line, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == -1)
        reason = errno;
    else if ((size_t)sent != length)
        reason = EMSGSIZE;
    else
        reason = read_all(fd, x->answer, deadline);
    close(fd);
    return reason;
}

static void exchange_job(void *data) {
    struct exchange *x = data;

    x->answer->code = exchange(x);
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
    x->timeout_ms = timeout_ms;
    x->answer = event_new(EVENT_ANSWER);
    if (!x->answer || asprintf(&x->line, "%s\n", text) == -1) {
        x->line = NULL;
        exchange_free(x);
        errno = ENOMEM;
        return -1;
    }
    x->answer->request = request;
    return worker_run(worker, exchange_job, exchange_free, x);
}
