/* curl_loop.c - libcurl's transfers, driven by a libuv loop
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdlib.h>

#include "nerve/checks/check_type.h"
#include "nerve/checks/curl_loop.h"

#define SPARE_MAX 16 /* transfers that are kept for later checks */

struct curl_loop {
    uv_loop_t *loop; /* borrowed */
    CURLM *multi;    /* owned */
    uv_timer_t timer;
    uv_timer_t lost_timer;
    struct waiter *lost; /* list of those whose socket cannot be watched */
    int open_handles;
    CURL *spare[SPARE_MAX]; /* owned; not under way */
    size_t spare_count;
};

/* A watched socket of libcurl. */
struct watched {
    uv_poll_t poll;
    curl_socket_t socket; /* libcurl's */
    struct curl_loop *cl; /* borrowed */
    bool looked_at;       /* the connection was, once it was made */
};

/* The user of a transfer. */
struct waiter {
    curl_loop_done_fn *done;
    void *arg;           /* borrowed */
    CURL *easy;          /* borrowed */
    struct waiter *next; /* in the list of the lost */
    bool lost;
};

static struct waiter *waiter_of(CURL *easy) {
    char *private = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    return (struct waiter *)private;
}

void curl_loop_remove(struct curl_loop *cl, CURL *easy) {
    struct waiter *w = waiter_of(easy), **at = &cl->lost;

    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    curl_multi_remove_handle(cl->multi, easy);
    free(w);
}

static void report_ended(struct curl_loop *cl) {
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(cl->multi, &left))) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        struct waiter w = *waiter_of(easy);

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_loop_remove(cl, easy);
        w.done(w.arg, code);
    }
}

static void act(struct curl_loop *cl, curl_socket_t socket, int events) {
    int running;

    curl_multi_socket_action(cl->multi, socket, events, &running);
    report_ended(cl);
}

static void on_socket(uv_poll_t *poll, int status, int events) {
    struct watched *w = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;

    if (!w->looked_at)
        check_is_with_itself(w->socket);
    w->looked_at = true;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(w->cl, w->socket, flags);
}

static void on_timer(uv_timer_t *timer) {
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl asks to be called again after <timeout_ms>; -1: not any more. */
static int set_timer(CURLM *multi, long timeout_ms, void *arg) {
    struct curl_loop *cl = arg;

    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(&cl->timer);
    else
        uv_timer_start(&cl->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void on_poll_closed(uv_handle_t *poll) { free(poll->data); }

static struct watched *watch(struct curl_loop *cl, curl_socket_t socket) {
    struct watched *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    if (uv_poll_init_socket(cl->loop, &w->poll, socket) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->socket = socket;
    w->cl = cl;
    curl_multi_assign(cl->multi, socket, w);
    return w;
}

static void unwatch(struct curl_loop *cl, struct watched *w) {
    curl_multi_assign(cl->multi, w->socket, NULL);
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, on_poll_closed);
}

/* Ends the lost transfers, which is only allowed outside of libcurl's
 * callbacks. */
static void on_lost(uv_timer_t *timer) {
    struct curl_loop *cl = timer->data;

    while (cl->lost) {
        struct waiter w = *cl->lost;

        curl_loop_remove(cl, w.easy);
        w.done(w.arg, CURLE_OUT_OF_MEMORY);
    }
}

/* The socket of this transfer cannot be watched. An error to libcurl would end
 * all other transfers too, for ever. */
static void lose(struct curl_loop *cl, CURL *easy) {
    struct waiter *w = waiter_of(easy);

    if (!w || w->lost)
        return;
    w->lost = true;
    w->next = cl->lost;
    cl->lost = w;
    uv_timer_start(&cl->lost_timer, on_lost, 0, 0);
}

/* libcurl asks to watch <socket> for <what>, or not any more. */
static int set_socket(CURL *easy, curl_socket_t socket, int what, void *arg,
                      void *watched) {
    struct curl_loop *cl = arg;
    struct watched *w = watched;
    int events = 0;

    if (what == CURL_POLL_REMOVE) {
        if (w)
            unwatch(cl, w);
        return 0;
    }
    if (!w)
        w = watch(cl, socket);
    if (!w) {
        lose(cl, easy);
        return 0;
    }
    if (what != CURL_POLL_OUT)
        events |= UV_READABLE;
    if (what != CURL_POLL_IN)
        events |= UV_WRITABLE;
    return uv_poll_start(&w->poll, events, on_socket);
}

struct curl_loop *curl_loop_new(uv_loop_t *loop) {
    struct curl_loop *cl = calloc(1, sizeof(*cl));

    if (!cl)
        return NULL;
    cl->loop = loop;
    cl->multi = curl_multi_init();
    if (!cl->multi) {
        free(cl);
        return NULL;
    }
    uv_timer_init(loop, &cl->timer);
    uv_timer_init(loop, &cl->lost_timer);
    cl->timer.data = cl->lost_timer.data = cl;
    cl->open_handles = 2;
    curl_multi_setopt(cl->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(cl->multi, CURLMOPT_SOCKETDATA, cl);
    curl_multi_setopt(cl->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(cl->multi, CURLMOPT_TIMERDATA, cl);
    return cl;
}

void curl_loop_start_library(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

void curl_loop_end_library(void) { curl_global_cleanup(); }

const char *curl_loop_version(void) { return curl_version(); }

CURL *curl_loop_take(struct curl_loop *cl) {
    if (cl->spare_count > 0)
        return cl->spare[--cl->spare_count];
    return curl_easy_init();
}

void curl_loop_give(struct curl_loop *cl, CURL *easy) {
    if (cl->spare_count == SPARE_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    cl->spare[cl->spare_count++] = easy;
}

int curl_loop_add(struct curl_loop *cl, CURL *easy, curl_loop_done_fn *done,
                  void *arg) {
    struct waiter *w = malloc(sizeof(*w));

    if (!w)
        return -1;
    *w = (struct waiter){.done = done, .arg = arg, .easy = easy};
    curl_easy_setopt(easy, CURLOPT_PRIVATE, w);
    if (curl_multi_add_handle(cl->multi, easy) == CURLM_OK)
        return 0;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    free(w);
    return -1;
}

static void on_timer_closed(uv_handle_t *timer) {
    struct curl_loop *cl = timer->data;

    if (--cl->open_handles == 0)
        free(cl);
}

void curl_loop_free(struct curl_loop *cl) {
    if (!cl)
        return;
    while (cl->spare_count > 0)
        curl_easy_cleanup(cl->spare[--cl->spare_count]);
    curl_multi_cleanup(cl->multi);
    uv_close((uv_handle_t *)&cl->timer, on_timer_closed);
    uv_close((uv_handle_t *)&cl->lost_timer, on_timer_closed);
}
