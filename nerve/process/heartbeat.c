/* heartbeat.c - a file that is touched as long as the loop turns
 *
 *   touch()      runs in a thread of libuv, on a job of its own
 *   all others   run in the loop's thread
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nerve/log.h"
#include "nerve/process/heartbeat.h"

/* One touch in progress; it outlives its owner if the disk hangs. */
struct touch {
    uv_work_t work;
    struct heartbeat *owner; /* borrowed; NULL once it is closed */
    int error;               /* errno, or 0 */
    char path[];             /* NUL-terminated */
};

struct heartbeat {
    uv_timer_t timer;
    uv_loop_t *loop;     /* borrowed */
    struct log *log;     /* borrowed */
    char *path;          /* owned, or NULL */
    struct touch *touch; /* owned by libuv; NULL if none is in progress */
    unsigned int interval_ms;
    int error; /* errno of the last touch, already in the log */
};

/* Runs in a thread of libuv. */
static void touch(uv_work_t *work) {
    struct touch *t = work->data;
    int fd;

    t->error = 0;
    if (utimensat(AT_FDCWD, t->path, NULL, 0) == 0)
        return;
    fd = open(t->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
              0666);
    if (fd < 0)
        t->error = errno;
    else
        close(fd);
}

static void tell(struct heartbeat *h, int error) {
    if (error == h->error)
        return;
    h->error = error;
    if (error)
        log_line(h->log, LEVEL_WARNING, "heartbeat_path: %s: %s", h->path,
                 strerror(error));
    else
        log_line(h->log, LEVEL_INFO, "heartbeat_path: %s: touched again",
                 h->path);
}

static void start(struct heartbeat *h);

static void on_touched(uv_work_t *work, int status) {
    struct touch *t = work->data;
    struct heartbeat *h = t->owner;
    bool same;

    if (h) {
        h->touch = NULL;
        same = h->path && strcmp(h->path, t->path) == 0;
        if (same && status == 0)
            tell(h, t->error);
        else if (h->path)
            start(h);
    }
    free(t);
}

/* Without memory one touch is left out. */
static void start(struct heartbeat *h) {
    size_t size = strlen(h->path) + 1;
    struct touch *t = calloc(1, sizeof(*t) + size);

    if (!t)
        return;
    memcpy(t->path, h->path, size);
    t->owner = h;
    t->work.data = t;
    h->touch = t;
    uv_queue_work(h->loop, &t->work, touch, on_touched);
}

static void on_due(uv_timer_t *timer) {
    struct heartbeat *h = timer->data;

    if (h->path && !h->touch)
        start(h);
}

struct heartbeat *heartbeat_new(uv_loop_t *loop, struct log *log,
                                unsigned int interval_ms) {
    struct heartbeat *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->loop = loop;
    h->log = log;
    h->interval_ms = interval_ms;
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    return h;
}

void heartbeat_use(struct heartbeat *h, char *path) {
    bool same = path && h->path && strcmp(path, h->path) == 0;

    free(h->path);
    h->path = path;
    if (same)
        return;
    h->error = 0;
    if (path)
        uv_timer_start(&h->timer, on_due, 0, h->interval_ms);
    else
        uv_timer_stop(&h->timer);
}

static void on_closed(uv_handle_t *timer) {
    struct heartbeat *h = timer->data;

    free(h->path);
    free(h);
}

void heartbeat_close(struct heartbeat *h) {
    if (!h)
        return;
    if (h->touch) {
        h->touch->owner = NULL;
        uv_cancel((uv_req_t *)&h->touch->work);
    }
    uv_close((uv_handle_t *)&h->timer, on_closed);
}
