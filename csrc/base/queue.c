/* queue.c - hand events from ZooKeeper's threads to one reader thread
 *
 * Events cross the thread boundary here and nowhere else, and they cross as
 * owned copies: a writer never touches an event after queue_push(), the
 * reader never sees one before queue_pop().
 *
 *   writers  libzookeeper_mt's completion threads, workers   queue_push()
 *   reader   HAProxy's Lua task, or nerve's loop             all others
 *
 * <lock> protects every field but <last_number>. The wake function runs under
 * it, so that queue_set_wake() can promise that the old <arg> is not used any
 * more; it must not block and must not call the queue.
 *
 * Only watches and log lines are counted against the limit: a reply has a
 * request that was bounded before.
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "csrc/base/clock.h"
#include "csrc/base/event.h"
#include "csrc/base/queue.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct event *head; /* owned */
    struct event *tail; /* borrowed from the list */
    size_t bounded;     /* watch and log events in the list */
    size_t limit;
    struct event *overflow; /* owned; spare */
    bool overflow_waits;    /* one is in the list */
    bool overflow_owed;     /* no spare event was left for the overflow */
    uint32_t last_number;   /* reader thread only */
    queue_wake_fn *wake;
    void *arg; /* borrowed */
};

static bool is_bounded(const struct event *ev) {
    return ev->type == EVENT_WATCH || ev->type == EVENT_LOG;
}

static void append(struct queue *q, struct event *ev) {
    bool was_empty = q->head == NULL;

    ev->next = NULL;
    if (was_empty)
        q->head = ev;
    else
        q->tail->next = ev;
    q->tail = ev;
    if (is_bounded(ev))
        q->bounded++;
    if (!was_empty)
        return;
    pthread_cond_signal(&q->filled);
    if (q->wake)
        q->wake(q->arg);
}

static void append_overflow(struct queue *q) {
    struct event *ev = q->overflow;

    if (q->overflow_waits)
        return;
    q->overflow_owed = !ev;
    if (!ev)
        return;
    q->overflow = NULL;
    q->overflow_waits = true;
    ev->time_us = clock_us();
    append(q, ev);
}

/* Makes the spare for the next overflow, or for one that found none. */
static void restock(struct queue *q) {
    if (q->overflow || q->overflow_waits)
        return;
    q->overflow = event_new(EVENT_OVERFLOW);
    if (q->overflow && q->overflow_owed)
        append_overflow(q);
}

struct queue *queue_new(size_t limit) {
    struct queue *q = calloc(1, sizeof(*q));
    pthread_condattr_t attr;

    if (!q)
        return NULL;
    q->limit = limit;
    q->overflow = event_new(EVENT_OVERFLOW);
    if (!q->overflow) {
        free(q);
        return NULL;
    }
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->filled, &attr);
    pthread_condattr_destroy(&attr);
    return q;
}

void queue_free(struct queue *q) {
    if (!q)
        return;
    while (q->head) {
        struct event *ev = q->head;

        q->head = ev->next;
        event_free(ev);
    }
    event_free(q->overflow);
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

uint32_t queue_number(struct queue *q) {
    if (++q->last_number == 0)
        q->last_number = 1;
    return q->last_number;
}

void queue_set_wake(struct queue *q, queue_wake_fn *wake, void *arg) {
    pthread_mutex_lock(&q->lock);
    q->wake = wake;
    q->arg = arg;
    if (wake && q->head)
        wake(arg);
    pthread_mutex_unlock(&q->lock);
}

void queue_push(struct queue *q, struct event *ev) {
    struct event *dropped = NULL;

    pthread_mutex_lock(&q->lock);
    if (!ev) {
        append_overflow(q);
    } else if (is_bounded(ev) && q->bounded >= q->limit) {
        if (ev->type == EVENT_WATCH)
            append_overflow(q);
        dropped = ev;
    } else {
        append(q, ev);
    }
    pthread_mutex_unlock(&q->lock);
    event_free(dropped);
}

struct event *queue_pop(struct queue *q) {
    struct event *ev;

    pthread_mutex_lock(&q->lock);
    restock(q);
    ev = q->head;
    if (ev) {
        q->head = ev->next;
        ev->next = NULL;
        if (is_bounded(ev))
            q->bounded--;
        if (ev->type == EVENT_OVERFLOW)
            q->overflow_waits = false;
    }
    pthread_mutex_unlock(&q->lock);
    return ev;
}

bool queue_wait(struct queue *q, int timeout_ms) {
    struct timespec until;
    bool filled;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&q->lock);
    while (!q->head && rc == 0)
        rc = pthread_cond_timedwait(&q->filled, &q->lock, &until);
    filled = q->head != NULL;
    pthread_mutex_unlock(&q->lock);
    return filled;
}
