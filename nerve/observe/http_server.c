/* http_server.c - pages for GET and HEAD over HTTP, served by the loop
 *
 * libmicrohttpd has no thread here. The loop watches its epoll descriptor, and
 * a timer of the loop ends idle connections.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "nerve/log.h"
#include "nerve/observe/http_server.h"

#define CONNECTIONS_MAX 16
#define IDLE_SECONDS    10
#define REQUEST_BYTES   8192 /* of memory for a request's head */
#define BACKLOG         16
#define TURN_MS         1000
#define RETRY_MS        10000 /* if it cannot listen */

struct web {
    uv_loop_t *loop; /* borrowed */
    struct log *log; /* borrowed */
    web_page_fn *page;
    void *arg;  /* borrowed */
    char *host; /* owned, or NULL: no address */
    int port;
    int error;                 /* errno, already in the log */
    struct MHD_Daemon *daemon; /* owned, or NULL: it does not listen */
    uv_poll_t *poll;           /* owned; of the daemon's epoll descriptor */
    uv_timer_t timer;          /* the daemon's, or that of the next attempt */
};

static enum MHD_Result answer(struct MHD_Connection *connection,
                              unsigned int status, const char *type, char *body,
                              enum MHD_ResponseMemoryMode mode) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), body, mode);
    enum MHD_Result queued;

    if (!response) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result answer_fixed(struct MHD_Connection *connection,
                                    unsigned int status, const char *text) {
    return answer(connection, status, "text/plain", (char *)text,
                  MHD_RESPMEM_PERSISTENT);
}

/* libmicrohttpd calls it when it has a request's head, and again when the
 * request is complete; between, with the body, which is ignored. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *body,
                                  size_t *body_size, void **state) {
    struct web *w = arg;
    struct web_page page;

    (void)version;
    (void)body;
    if (!*state || *body_size) {
        *state = w;
        *body_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_fixed(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                            "only GET and HEAD\n");
    page = w->page(w->arg, url);
    if (!page.body)
        return answer_fixed(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
                            "out of memory\n");
    return answer(connection, page.status, page.type, page.body,
                  MHD_RESPMEM_MUST_FREE);
}

/* Returns a listening socket, or -1 with errno. */
static int listen_at(const char *host, int port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *at;
    char digits[16];
    int fd, on = 1;

    snprintf(digits, sizeof(digits), "%d", port);
    if (getaddrinfo(host, digits, &hints, &at) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 &&
        (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
         bind(fd, at->ai_addr, at->ai_addrlen) != 0 ||
         listen(fd, BACKLOG) != 0)) {
        on = errno;
        close(fd);
        errno = on;
        fd = -1;
    }
    freeaddrinfo(at);
    return fd;
}

static void on_timer(uv_timer_t *timer);

/* Lets the daemon do its work, and runs it again when it asks for that, or
 * soon. Only in such extra turns does it end idle connections, and listen again
 * after there were too many. */
static void turn(struct web *w) {
    MHD_UNSIGNED_LONG_LONG wait_ms;

    MHD_run(w->daemon);
    if (MHD_get_timeout(w->daemon, &wait_ms) != MHD_YES || wait_ms > TURN_MS)
        wait_ms = TURN_MS;
    uv_timer_start(&w->timer, on_timer, wait_ms, 0);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    turn(poll->data);
}

static void on_poll_closed(uv_handle_t *poll) { free(poll); }

static void stop(struct web *w) {
    uv_timer_stop(&w->timer);
    if (w->poll)
        uv_close((uv_handle_t *)w->poll, on_poll_closed);
    if (w->daemon)
        MHD_stop_daemon(w->daemon);
    w->poll = NULL;
    w->daemon = NULL;
}

/* Adds the daemon's descriptor to the loop. Returns 0, or -1. */
static int watch(struct web *w) {
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_poll_t *poll = calloc(1, sizeof(*poll));

    if (!poll || !info || uv_poll_init(w->loop, poll, info->epoll_fd) != 0) {
        free(poll);
        return -1;
    }
    poll->data = w;
    w->poll = poll;
    return uv_poll_start(poll, UV_READABLE, on_readable);
}

/* Returns 0, or an errno. */
static int start(struct web *w) {
    int fd = listen_at(w->host, w->port);

    if (fd < 0)
        return errno;
    w->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, w, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES,
        MHD_OPTION_END);
    if (!w->daemon)
        close(fd);
    if (!w->daemon || watch(w) != 0) {
        stop(w);
        return ENOMEM;
    }
    return 0;
}

static void try(struct web *w) {
    int error = start(w);

    if (error)
        uv_timer_start(&w->timer, on_timer, RETRY_MS, 0);
    if (error == w->error && error)
        return;
    w->error = error;
    if (error)
        log_line(w->log, LEVEL_ERROR,
                 "metrics_listen: cannot listen at %s port %d: %s; trying "
                 "again",
                 w->host, w->port, strerror(error));
    else
        log_line(w->log, LEVEL_INFO, "metrics_listen: %s port %d", w->host,
                 w->port);
}

static void on_timer(uv_timer_t *timer) {
    struct web *w = timer->data;

    if (w->daemon)
        turn(w);
    else
        try(w);
}

struct web *web_new(uv_loop_t *loop, struct log *log, web_page_fn *page,
                    void *arg) {
    struct web *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->loop = loop;
    w->log = log;
    w->page = page;
    w->arg = arg;
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    return w;
}

void web_use(struct web *w, const char *host, int port) {
    bool same = host && w->host && strcmp(host, w->host) == 0;

    if ((same && port == w->port) || (!host && !w->host))
        return;
    stop(w);
    free(w->host);
    w->host = host ? strdup(host) : NULL;
    w->port = port;
    w->error = 0;
    if (w->host)
        try(w);
}

static void on_closed(uv_handle_t *timer) {
    struct web *w = timer->data;

    free(w->host);
    free(w);
}

void web_close(struct web *w) {
    if (!w)
        return;
    stop(w);
    uv_close((uv_handle_t *)&w->timer, on_closed);
}
