/* check.c - what all types of checks do: look up the host, try its addresses,
 * time out
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "nerve/checks/check.h"
#include "nerve/checks/check_type.h"
#include "nerve/checks/dns.h"
#include "nerve/checks/push.h"
#include "nerve/config/model.h"

static int open_nothing(struct check *c) {
    (void)c;
    return 0;
}

static void attempt_noop(struct check *c, const struct addrinfo *address) {
    (void)address;
    check_attempt_ended(c, CHECK_PASSED, NULL);
}

static void do_nothing(struct check *c) { (void)c; }

const struct check_type check_noop = {
    .size = sizeof(struct check),
    .no_host = true,
    .open = open_nothing,
    .attempt = attempt_noop,
    .cancel = do_nothing,
    .close = do_nothing,
};

/* The service has reported already; this looks at its last report. */
static void attempt_push(struct check *c, const struct addrinfo *address) {
    char why[PUSH_REASON_MAX + 40];
    uint64_t now = hearing_ms(c->env.hearing, uv_now(c->env.loop));
    bool well =
        push_is_well(c->env.report, c->config->ttl_ms, now, why, sizeof(why));

    (void)address;
    check_attempt_ended(c, well ? CHECK_PASSED : CHECK_FAILED,
                        well ? NULL : why);
}

const struct check_type check_push = {
    .size = sizeof(struct check),
    .no_host = true,
    .open = open_nothing,
    .attempt = attempt_push,
    .cancel = do_nothing,
    .close = do_nothing,
};

#define LATE_MS 5 /* less is the inaccuracy of timers */

static const struct check_type *const types[] = {
    [CHECK_TCP] = &check_tcp,   [CHECK_HTTP] = &check_http,
    [CHECK_GRPC] = &check_grpc, [CHECK_EXEC] = &check_exec,
    [CHECK_NOOP] = &check_noop, [CHECK_PUSH] = &check_push,
};

enum check_result check_result_of(int error) {
    /* EADDRNOTAVAIL: no local port is left to connect from. */
    static const int lacks[] = {EMFILE, ENFILE, ENOBUFS,
                                ENOMEM, EAGAIN, EADDRNOTAVAIL};

    for (size_t i = 0; i < sizeof(lacks) / sizeof(*lacks); i++)
        if (error == lacks[i])
            return CHECK_NOT_TRIED;
    return CHECK_FAILED;
}

static void finish(struct check *c, enum check_result result,
                   const char *reason) {
    c->running = false;
    c->under_way = false;
    c->address = NULL;
    uv_timer_stop(&c->deadline);
    c->done(c->arg, result, reason);
}

void check_attempt_ended(struct check *c, enum check_result result,
                         const char *reason) {
    finish(c, result, reason);
}

static void attempt(struct check *c, const struct addrinfo *address) {
    c->address = address;
    c->under_way = true;
    c->type->attempt(c, address);
}

void check_attempt_refused(struct check *c, int error, const char *reason) {
    enum check_result result = check_result_of(error);
    /* ::1 is not available on a machine without IPv6; 127.0.0.1 may be. */
    bool next_may_answer = result == CHECK_FAILED || error == EADDRNOTAVAIL;

    if (next_may_answer && c->address->ai_next)
        attempt(c, c->address->ai_next);
    else
        finish(c, result, reason);
}

/* Returns the result of a name query that ended with libuv's <status>. If no
 * name server answered, nothing is known about the host. */
static enum check_result result_of_lookup(int status) {
    if (status == UV_EAI_AGAIN || status == UV_EAI_MEMORY)
        return CHECK_NOT_TRIED;
    return check_result_of(-status);
}

static void on_addresses(void *arg, const struct addrinfo *addresses,
                         int status) {
    struct check *c = arg;
    char text[160];

    if (addresses) {
        attempt(c, addresses);
        return;
    }
    snprintf(text, sizeof(text), "%.100s: %.50s", c->config->host,
             uv_strerror(status));
    finish(c, result_of_lookup(status), text);
}

/* Stops the attempt; <done> is not called for it any more. */
static void cancel(struct check *c) {
    if (c->lookup)
        lookup_cancel(c->lookup);
    if (c->under_way)
        c->type->cancel(c);
    c->under_way = false;
    c->address = NULL;
}

static void on_deadline(uv_timer_t *timer);

static void set_deadline(struct check *c, uint64_t in_ms) {
    c->due_ms = uv_now(c->env.loop) + in_ms;
    uv_timer_start(&c->deadline, on_deadline, in_ms, 0);
}

/* The loop runs timers before it looks at sockets. If the timer itself is late
 * (this process was stopped, or had no turn), the answer may already be there.
 * So the deadline is extended once by the lost time. */
static void on_deadline(uv_timer_t *timer) {
    struct check *c = timer->data;
    uint64_t late_ms = uv_now(c->env.loop) - c->due_ms;
    uint64_t most_ms = c->config->timeout_ms;
    enum check_result result;
    char text[60];

    if (late_ms >= LATE_MS && !c->extended) {
        c->extended = true;
        set_deadline(c, late_ms < most_ms ? late_ms : most_ms);
        return;
    }
    result = c->under_way ? CHECK_FAILED : CHECK_NOT_TRIED;
    snprintf(text, sizeof(text), "no answer%s within %u ms",
             c->under_way ? "" : " of a name server", c->config->timeout_ms);
    cancel(c);
    finish(c, result, text);
}

struct check *check_open(const struct check_env *env,
                         const struct check_config *config, check_done_fn *done,
                         void *arg) {
    const struct check_type *type = types[config->kind];
    struct check *c = calloc(1, type->size);

    if (!c)
        return NULL;
    c->type = type;
    c->config = config;
    c->env = *env;
    c->done = done;
    c->arg = arg;
    if (!type->no_host)
        c->lookup =
            lookup_new(env->loop, config->host, config->port, on_addresses, c);
    if ((!c->lookup && !type->no_host) || type->open(c) != 0) {
        lookup_free(c->lookup);
        free(c);
        return NULL;
    }
    uv_timer_init(env->loop, &c->deadline);
    c->deadline.data = c;
    return c;
}

void check_start(struct check *c) {
    c->running = true;
    c->extended = false;
    set_deadline(c, c->config->timeout_ms);
    if (c->type->no_host)
        attempt(c, NULL);
    else
        lookup_start(c->lookup);
}

void check_stop(struct check *c) {
    if (c->running)
        cancel(c);
    c->running = false;
    uv_timer_stop(&c->deadline);
}

static void on_closed(uv_handle_t *timer) { free(timer->data); }

void check_close(struct check *c) {
    if (!c)
        return;
    check_stop(c);
    c->type->close(c);
    lookup_free(c->lookup);
    uv_close((uv_handle_t *)&c->deadline, on_closed);
}
