/* follower.c - tell when files of a directory have been written
 *
 * The kernel's inotify tells a thread, which sleeps meanwhile. Many files that
 * are replaced at once make one event.
 *
 *   loop thread      all of follower.h
 *   worker's thread  follow(), from follower_start() to follower_free()
 *
 * Once the thread runs, nothing changes but <stop>, which is written to end it.
 * A process and its parent share what inotify has to tell, and only the one
 * with the thread reads it.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "csrc/base/clock.h"
#include "csrc/base/event.h"
#include "csrc/base/follower.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"

/* Milliseconds without a change, after which the files are told of. */
#define QUIET 20

/* A file that is removed is not told of: it may come back with another name. */
#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO)

struct followed {
    struct followed *next; /* owned */
    int watch;
    char *ending; /* owned */
};

struct follower {
    struct worker *worker; /* owned */
    struct queue *queue;   /* borrowed */
    struct followed *list; /* owned */
    int inotify;           /* -1 until the first directory */
    int stop;              /* an eventfd; -1 until the thread is started */
};

struct follower *follower_new(void) {
    struct follower *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->inotify = f->stop = -1;
    f->worker = worker_new();
    if (!f->worker) {
        free(f);
        return NULL;
    }
    return f;
}

int follower_add(struct follower *f, const char *directory,
                 const char *ending) {
    struct followed *new;

    if (f->inotify == -1)
        f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->inotify == -1)
        return -1;
    new = calloc(1, sizeof(*new));
    if (!new || !(new->ending = strdup(ending))) {
        free(new);
        return -1;
    }
    new->watch = inotify_add_watch(f->inotify, directory, CHANGES | IN_ONLYDIR);
    if (new->watch == -1) {
        free(new->ending);
        free(new);
        return -1;
    }
    new->next = f->list;
    f->list = new;
    return 0;
}

static bool ends_with(const char *name, const char *ending) {
    size_t length = strlen(name);
    size_t wanted = strlen(ending);

    return length >= wanted && strcmp(name + length - wanted, ending) == 0;
}

/* Two endings in one directory have one watch. What the kernel could not keep
 * may have been such a file. */
static bool is_followed(const struct follower *f,
                        const struct inotify_event *told) {
    if (told->mask & IN_Q_OVERFLOW)
        return true;
    for (const struct followed *it = f->list; it; it = it->next)
        if (told->wd == it->watch && told->len > 0 &&
            ends_with(told->name, it->ending))
            return true;
    return false;
}

/* Returns how many followed files were told of; -1 when inotify failed. */
static int read_all(const struct follower *f) {
    char buffer[4096]
        __attribute__((aligned(__alignof__(struct inotify_event))));
    int count = 0;
    ssize_t got;

    while ((got = read(f->inotify, buffer, sizeof(buffer))) > 0) {
        const struct inotify_event *told;

        for (char *at = buffer; at < buffer + got;
             at += sizeof(*told) + told->len) {
            told = (const struct inotify_event *)at;
            count += is_followed(f, told);
        }
    }
    return got == -1 && (errno == EAGAIN || errno == EINTR) ? count : -1;
}

static void tell(struct follower *f) {
    struct event *ev = event_new(EVENT_FILES);

    if (ev)
        queue_push(f->queue, ev);
}

/* Returns whether to go on. <due> is when to tell, 0: there is nothing. */
static bool step(struct follower *f, int64_t *due) {
    struct pollfd polled[] = {{.fd = f->inotify, .events = POLLIN},
                              {.fd = f->stop, .events = POLLIN}};
    int64_t left = *due - clock_ms();
    int count = 0;

    if (*due != 0 && left <= 0) {
        tell(f);
        *due = 0;
    }
    if (poll(polled, 2, *due == 0 ? -1 : (int)left) == -1 && errno != EINTR)
        return false;
    if (polled[1].revents != 0)
        return false;
    if (polled[0].revents != 0)
        count = read_all(f);
    if (count > 0)
        *due = clock_ms() + QUIET;
    return count != -1;
}

static void follow(void *data) {
    int64_t due = 0;

    while (step(data, &due))
        continue;
}

static void forget(void *data) { (void)data; }

int follower_start(struct follower *f, struct queue *q) {
    if (!f->list || f->stop != -1)
        return 0;
    f->queue = q;
    f->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->stop == -1)
        return -1;
    return worker_run(f->worker, follow, forget, f);
}

void follower_free(struct follower *f) {
    if (!f)
        return;
    if (f->stop != -1)
        eventfd_write(f->stop, 1);
    worker_free(f->worker);
    while (f->list) {
        struct followed *it = f->list;

        f->list = it->next;
        free(it->ending);
        free(it);
    }
    if (f->inotify != -1)
        close(f->inotify);
    if (f->stop != -1)
        close(f->stop);
    free(f);
}
