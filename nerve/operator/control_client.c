/* control_client.c - one connection to the control socket: a line in, lines out
 *
 *   look_up()    a thread of libuv's; it alone touches <user> while <naming>
 *   all others   the loop's
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/text.h"
#include "nerve/operator/command.h"
#include "nerve/operator/control_client.h"
#include "nerve/operator/socket.h"

struct control_client {
    struct control_client_env env;
    uv_pipe_t pipe;
    uv_work_t work;
    uid_t uid;
    char user[64];
    char line[CONTROL_LINE_MAX];
    size_t length;
    size_t writes; /* under way */
    bool naming;   /* its user is being looked up */
    bool asked;    /* its request has come */
    bool ending;   /* all was said */
    bool closed;   /* nobody waits for it any more */
    bool shut;     /* so is the pipe */
};

/* A line on its way. */
struct writing {
    uv_write_t request;
    char *text; /* owned */
};

static void free_when_done(struct control_client *c) {
    if (c->shut && !c->naming)
        free(c);
}

/* A thread of libuv's. */
static void look_up(uv_work_t *work) {
    struct control_client *c = work->data;

    control_socket_user(c->uid, c->user, sizeof(c->user));
}

/* What follows the request is of no interest, but the end is. */
static void on_room(uv_handle_t *pipe, size_t suggested, uv_buf_t *buffer) {
    struct control_client *c = pipe->data;

    (void)suggested;
    if (c->asked)
        c->length = 0;
    *buffer = uv_buf_init(c->line + c->length,
                          (unsigned int)(sizeof(c->line) - c->length));
}

static void take_request(struct control_client *c) {
    const char *end = memchr(c->line, '\n', c->length);

    if (!end && c->length < sizeof(c->line))
        return;
    c->asked = true;
    c->env.asked(c->env.arg, end ? c->line : NULL,
                 end ? (size_t)(end - c->line) : 0);
}

static void on_read(uv_stream_t *pipe, ssize_t count, const uv_buf_t *buffer) {
    struct control_client *c = pipe->data;

    (void)buffer;
    if (count < 0) {
        c->env.gone(c->env.arg);
        return;
    }
    c->length += (size_t)count;
    if (!c->asked)
        take_request(c);
}

static void on_looked_up(uv_work_t *work, int status) {
    struct control_client *c = work->data;

    (void)status;
    c->naming = false;
    if (c->closed)
        free_when_done(c);
    else
        uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read);
}

static void on_closed(uv_handle_t *pipe) {
    struct control_client *c = pipe->data;

    c->shut = true;
    free_when_done(c);
}

void control_client_close(struct control_client *c) {
    c->closed = true;
    uv_close((uv_handle_t *)&c->pipe, on_closed);
}

struct control_client *
control_client_accept(uv_stream_t *server,
                      const struct control_client_env *env) {
    struct control_client *c = calloc(1, sizeof(*c));
    int fd;

    if (!c)
        return NULL;
    c->env = *env;
    uv_pipe_init(env->loop, &c->pipe, 0);
    c->pipe.data = c->work.data = c;
    if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0 ||
        uv_fileno((uv_handle_t *)&c->pipe, &fd) != 0 ||
        control_socket_peer(fd, &c->uid) != 0) {
        control_client_close(c);
        return NULL;
    }
    c->naming = true;
    uv_queue_work(env->loop, &c->work, look_up, on_looked_up);
    return c;
}

const char *control_client_user(const struct control_client *c) {
    return c->user;
}

static void on_written(uv_write_t *request, int status) {
    struct writing *w = request->data;
    struct control_client *c = request->handle->data;

    free(w->text);
    free(w);
    c->writes--;
    if (!c->closed && (status != 0 || (c->ending && c->writes == 0)))
        c->env.gone(c->env.arg);
}

void control_client_send(struct control_client *c, json_t *line) {
    struct writing *w = calloc(1, sizeof(*w));
    char *json = line ? json_dumps(line, JSON_COMPACT) : NULL;
    struct text text = {0};
    uv_buf_t buffer;

    json_decref(line);
    if (json)
        text_printf(&text, "%s\n", json);
    free(json);
    buffer.len = text.length;
    buffer.base = text_take(&text);
    if (!w || !buffer.base || !buffer.len) {
        free(buffer.base);
        free(w);
        return;
    }
    w->text = buffer.base;
    w->request.data = w;
    if (uv_write(&w->request, (uv_stream_t *)&c->pipe, &buffer, 1,
                 on_written) == 0) {
        c->writes++;
        return;
    }
    free(w->text);
    free(w);
}

void control_client_end(struct control_client *c) {
    c->ending = true;
    if (c->writes == 0)
        c->env.gone(c->env.arg);
}
