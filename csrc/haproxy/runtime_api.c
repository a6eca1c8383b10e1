/* runtime_api.c - sends commands to HAProxy's runtime API, reads the answers
 *
 * A Lua socket of HAProxy 2.6 stalls on any answer longer than one buffer
 * (16 kB), so a worker reads the answers. All lines of commands share one
 * connection, because HAProxy makes a session for each. It stays open by the
 * command `prompt`: HAProxy then ends an answer with PROMPT instead of an empty
 * line. HAProxy 2.6 ends each answer of a line so, and 3.4 only the last one.
 * The answer to the greeting shows which.
 *
 * A line is sent in one write, because HAProxy cuts a batch that arrives in
 * pieces. Sending never blocks. If no other exchange is under way, the loop
 * thread sends the line at once, so that no command waits for the worker to
 * wake.
 *
 *   loop thread    the public functions; begin(), if no exchange is under way
 *   worker thread  exchange_job(); begin(), if the exchange had to wait
 *
 * The connection belongs to the worker while a job is pending, and to the loop
 * thread otherwise.
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
#define PROMPT     "\n> "

/* HAProxy closes a connection that is silent for longer: 10 s by default, and
 * 24 days at most. */
#define GREETING "prompt;set timeout cli 20d\n"

/* What HAProxy answers to it. */
#define GREETING_EACH PROMPT PROMPT
#define GREETING_LAST "\n" PROMPT

struct commander {
    struct queue *queue;     /* borrowed */
    struct channel *channel; /* borrowed */
    struct worker *worker;   /* owned */
    int fd;                  /* owned; -1: not connected */
    bool greeted;            /* HAProxy's answer to the greeting was read */
    bool prompts_each;       /* it ends each answer of a line with PROMPT */
};

struct exchange {
    struct commander *commander; /* borrowed */
    struct event *answer;        /* owned until it is pushed */
    char *line;                  /* owned */
    bool begun;
    int reason; /* errno, why it failed */
    int timeout_ms;
};

static void disconnect(struct commander *c) {
    if (c->fd != -1)
        close(c->fd);
    c->fd = -1;
}

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

static bool begins_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static void cut_start(struct event *ev, size_t length) {
    ev->length -= length;
    memmove(ev->data, ev->data + length, ev->length + 1);
}

/* Takes HAProxy's answer to the greeting out of <ev> once it is whole. Returns
 * 0, EAGAIN while it is not, or EPROTO. */
static int take_greeting(struct commander *c, struct event *ev) {
    if (begins_with(ev->data, GREETING_EACH)) {
        c->prompts_each = true;
        cut_start(ev, strlen(GREETING_EACH));
    } else if (begins_with(ev->data, GREETING_LAST)) {
        c->prompts_each = false;
        cut_start(ev, strlen(GREETING_LAST));
    } else {
        return begins_with(GREETING_EACH, ev->data) ||
                       begins_with(GREETING_LAST, ev->data)
                   ? EAGAIN
                   : EPROTO;
    }
    c->greeted = true;
    return 0;
}

/* How many commands a line has. A backslash takes ";" its meaning. */
static size_t count_commands(const char *line) {
    size_t count = 1;

    for (const char *at = line; *at; at++) {
        if (*at == '\\' && at[1])
            at++;
        else if (*at == ';')
            count++;
    }
    return count;
}

static size_t count_prompts(const char *text) {
    size_t count = 0;

    while ((text = strstr(text, PROMPT))) {
        text += strlen(PROMPT);
        count++;
    }
    return count;
}

static bool ends_with_prompt(const struct event *ev) {
    return ev->length >= strlen(PROMPT) &&
           strcmp(ev->data + ev->length - strlen(PROMPT), PROMPT) == 0;
}

/* Whether <ev> has the answers to <commands> commands. The last thing that
 * HAProxy sends is a prompt, so most looks are short. */
static bool is_whole(const struct commander *c, const struct event *ev,
                     size_t commands) {
    return ends_with_prompt(ev) &&
           (!c->prompts_each || count_prompts(ev->data) >= commands);
}

/* Makes each prompt the empty line that there is without `prompt`. */
static void remove_prompts(struct event *ev) {
    char *to = ev->data;

    for (const char *from = ev->data; *from; from++) {
        *to++ = *from;
        if (begins_with(from, PROMPT))
            from += strlen(PROMPT) - 1;
    }
    *to = '\0';
    ev->length = (size_t)(to - ev->data);
}

/* Reads the answers to <x>. Returns 0 or errno. */
static int read_answers(struct exchange *x, int64_t deadline) {
    struct commander *c = x->commander;
    struct event *ev = x->answer;
    size_t commands = count_commands(x->line), size = 0;
    ssize_t got;
    int reason;

    for (;;) {
        if (ev->length + 1 >= size && (reason = grow(ev, &size)) != 0)
            return reason;
        reason = await(c->fd, POLLIN, deadline);
        if (reason != 0)
            return reason;
        got = read(c->fd, ev->data + ev->length, size - ev->length - 1);
        if (got <= 0)
            return got == 0 ? ECONNRESET : errno;
        ev->length += (size_t)got;
        ev->data[ev->length] = '\0';
        if (!c->greeted && (reason = take_greeting(c, ev)) == EPROTO)
            return reason;
        if (c->greeted && is_whole(c, ev, commands))
            return 0;
    }
}

/* Whether the connection can take a line: HAProxy has not closed it, and has
 * said nothing that nobody asked for. */
static bool is_ready(const struct commander *c) {
    char byte;

    return c->fd != -1 &&
           recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
           errno == EAGAIN;
}

/* The socket always takes as much as one buffer of HAProxy at once, so a text
 * of which a part is left is too long. Returns 0 or errno. */
static int put(int fd, const char *text) {
    size_t length = strlen(text);
    ssize_t sent = send(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent == -1)
        return errno;
    return (size_t)sent == length ? 0 : EMSGSIZE;
}

static int reconnect(struct commander *c) {
    disconnect(c);
    c->greeted = false;
    c->fd = channel_connect(c->channel);
    return c->fd == -1 ? errno : put(c->fd, GREETING);
}

/* Connects, unless there is a connection, and sends. */
static void begin(struct exchange *x) {
    struct commander *c = x->commander;

    x->begun = true;
    x->reason = is_ready(c) ? 0 : reconnect(c);
    if (x->reason == 0)
        x->reason = put(c->fd, x->line);
}

/* After a failure nobody knows what HAProxy is still about to say. */
static void exchange_job(void *data) {
    struct exchange *x = data;
    struct commander *c = x->commander;
    int64_t deadline = clock_ms() + x->timeout_ms;

    if (!x->begun)
        begin(x);
    if (x->reason == 0)
        x->reason = read_answers(x, deadline);
    if (x->reason == 0)
        remove_prompts(x->answer);
    else
        disconnect(c);
    x->answer->code = x->reason;
    queue_push(c->queue, x->answer);
    x->answer = NULL;
    exchange_free(x);
}

/* The loop thread has sent the line, and no job will read the answer. */
static void exchange_discard(void *data) {
    struct exchange *x = data;

    if (x->begun)
        disconnect(x->commander);
    exchange_free(x);
}

struct commander *commander_new(struct queue *queue, struct channel *channel) {
    struct commander *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->worker = worker_new();
    if (!c->worker) {
        free(c);
        return NULL;
    }
    c->queue = queue;
    c->channel = channel;
    c->fd = -1;
    return c;
}

void commander_free(struct commander *c) {
    if (!c)
        return;
    worker_free(c->worker);
    disconnect(c);
    free(c);
}

int commander_send(struct commander *c, const char *text, uint32_t request,
                   int timeout_ms) {
    struct exchange *x = calloc(1, sizeof(*x));

    if (!x)
        return -1;
    x->commander = c;
    x->timeout_ms = timeout_ms;
    x->answer = event_new(EVENT_ANSWER);
    if (!x->answer || asprintf(&x->line, "%s\n", text) == -1) {
        x->line = NULL;
        exchange_free(x);
        errno = ENOMEM;
        return -1;
    }
    x->answer->request = request;
    if (worker_start(c->worker) == 0 && worker_pending(c->worker) == 0)
        begin(x);
    return worker_run(c->worker, exchange_job, exchange_discard, x);
}

static void disconnect_job(void *data) { disconnect(data); }

static void nothing(void *data) { (void)data; }

void commander_hang_up(struct commander *c) {
    if (worker_pending(c->worker) == 0)
        disconnect(c);
    else
        worker_run(c->worker, disconnect_job, nothing, c);
}
