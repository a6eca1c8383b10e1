/* tcp.c - passes when it can connect; if <send> and <expect> are set, it sends
 * the one and the answer must have the other
 * SPDX-License-Identifier: MIT
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/text.h"
#include "nerve/checks/check_type.h"
#include "nerve/config/model.h"

#define ANSWER_MAX 65536 /* bytes of an answer that are looked at */

/* One connection on its way. It outlives the check until libuv closed it. */
struct attempt {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct tcp_check *owner; /* borrowed; NULL once it was given up */
};

struct tcp_check {
    struct check base;
    struct attempt *attempt; /* owned by libuv, or NULL */
    struct text answer;      /* so far */
};

static void on_closed(uv_handle_t *tcp) { free(tcp->data); }

/* Gives the attempt up, whatever it has come to. */
static void drop_attempt(struct check *c) {
    struct tcp_check *t = (struct tcp_check *)c;

    text_close(&t->answer);
    if (!t->attempt)
        return;
    t->attempt->owner = NULL;
    uv_close((uv_handle_t *)&t->attempt->tcp, on_closed);
    t->attempt = NULL;
}

static void end(struct tcp_check *t, enum check_result result,
                const char *reason) {
    drop_attempt(&t->base);
    check_attempt_ended(&t->base, result, reason);
}

/* The system, through libuv, has refused <status>. */
static void end_with(struct tcp_check *t, int status) {
    end(t, check_result_of(-status), uv_strerror(status));
}

/* No more of the answer comes, or none is read, and the text is not in it. */
static void end_without_text(struct tcp_check *t) {
    const char *expect = t->base.config->expect;
    int line = t->answer.data ? (int)strcspn(t->answer.data, "\r\n") : 0;
    char reason[200];

    if (t->answer.length == 0)
        snprintf(reason, sizeof(reason), "closed, and no \"%.60s\" came",
                 expect);
    else
        snprintf(reason, sizeof(reason), "no \"%.60s\" in the answer \"%.*s\"",
                 expect, line < 60 ? line : 60, t->answer.data);
    end(t, CHECK_FAILED, reason);
}

/* What is read is copied before anything else is, so one buffer is enough. */
static void lend_buffer(uv_handle_t *tcp, size_t size, uv_buf_t *buffer) {
    static char bytes[16384];

    (void)tcp;
    (void)size;
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t *tcp, ssize_t count, const uv_buf_t *buffer) {
    struct attempt *a = tcp->data;
    struct tcp_check *t = a->owner;
    const char *expect;
    size_t room;

    if (!t || count == 0)
        return;
    if (count == UV_EOF) {
        end_without_text(t);
        return;
    }
    if (count < 0) {
        end_with(t, (int)count);
        return;
    }
    expect = t->base.config->expect;
    room = ANSWER_MAX - t->answer.length;
    text_add(&t->answer, buffer->base,
             (size_t)count < room ? (size_t)count : room);
    if (t->answer.failed)
        end(t, CHECK_NOT_TRIED, "out of memory");
    else if (memmem(t->answer.data, t->answer.length, expect, strlen(expect)))
        end(t, CHECK_PASSED, NULL);
    else if (t->answer.length == ANSWER_MAX)
        end_without_text(t);
}

static void on_write(uv_write_t *write, int status) {
    struct attempt *a = write->data;

    if (!a->owner)
        return;
    if (status != 0)
        end_with(a->owner, status);
    else if (!a->owner->base.config->expect)
        end(a->owner, CHECK_PASSED, NULL);
}

/* Sends <send> and reads the answer. A service may also answer before that. */
static void talk(struct tcp_check *t) {
    const struct check_config *config = t->base.config;
    struct attempt *a = t->attempt;
    uv_stream_t *stream = (uv_stream_t *)&a->tcp;
    int status = 0;

    if (config->send) {
        uv_buf_t buffer =
            uv_buf_init(config->send, (unsigned int)strlen(config->send));

        status = uv_write(&a->write, stream, &buffer, 1, on_write);
    }
    if (status == 0 && config->expect)
        status = uv_read_start(stream, lend_buffer, on_read);
    if (status != 0)
        end_with(t, status);
}

static bool is_with_itself(const uv_tcp_t *tcp) {
    uv_os_fd_t fd;

    return uv_fileno((const uv_handle_t *)tcp, &fd) == 0 &&
           check_is_with_itself(fd);
}

static void on_connect(uv_connect_t *connect, int status) {
    struct attempt *a = connect->data;
    struct tcp_check *t = a->owner;

    if (!t)
        return;
    if (status == 0 && is_with_itself(&a->tcp))
        status = UV_ECONNREFUSED;
    if (status != 0) {
        drop_attempt(&t->base);
        check_attempt_refused(&t->base, -status, uv_strerror(status));
    } else if (t->base.config->send || t->base.config->expect) {
        talk(t);
    } else {
        end(t, CHECK_PASSED, NULL);
    }
}

static void attempt_tcp(struct check *c, const struct addrinfo *address) {
    struct tcp_check *t = (struct tcp_check *)c;
    struct attempt *a = calloc(1, sizeof(*a));
    int status;

    if (!a) {
        check_attempt_ended(c, CHECK_NOT_TRIED, "out of memory");
        return;
    }
    t->attempt = a;
    a->owner = t;
    a->tcp.data = a->connect.data = a->write.data = a;
    uv_tcp_init(c->env.loop, &a->tcp);
    status = uv_tcp_connect(&a->connect, &a->tcp, address->ai_addr, on_connect);
    if (status == 0)
        return;
    drop_attempt(c);
    check_attempt_refused(c, -status, uv_strerror(status));
}

static int open_tcp(struct check *c) {
    (void)c;
    return 0;
}

const struct check_type check_tcp = {
    .size = sizeof(struct tcp_check),
    .open = open_tcp,
    .attempt = attempt_tcp,
    .cancel = drop_attempt,
    .close = drop_attempt,
};
