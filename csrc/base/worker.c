/* worker.c - one thread for what may block: closing handles, writing files
 *
 * A job crosses to the thread as an owned copy and the caller forgets it. The
 * thread starts with the first job, which is after any fork, and with all
 * signals blocked: a signal is meant for the program's own threads (HAProxy's
 * would not wake for one that a foreign thread took).
 *
 *   loop thread    worker_run(), worker_free()
 *   worker thread  main loop below
 *
 * <lock> protects <head>, <tail>, <pending> and <stopping>; jobs run without
 * it.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "csrc/base/worker.h"

struct job {
    struct job *next; /* owned */
    worker_fn *run;
    void *data; /* owned */
};

struct worker {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_t thread;
    struct job *head; /* owned */
    struct job *tail; /* borrowed from the list */
    int pending;
    bool started; /* loop thread only */
    bool stopping;
};

static struct job *next_job(struct worker *w) {
    struct job *job;

    pthread_mutex_lock(&w->lock);
    while (!w->head && !w->stopping)
        pthread_cond_wait(&w->filled, &w->lock);
    job = w->head;
    if (job)
        w->head = job->next;
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void *work(void *arg) {
    struct worker *w = arg;
    struct job *job;

    while ((job = next_job(w))) {
        job->run(job->data);
        free(job);
        pthread_mutex_lock(&w->lock);
        w->pending--;
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

/* What worker_without_signals() calls to make a thread. */
struct start {
    pthread_t *thread;
    void *(*run)(void *arg);
    void *arg;
    int rc;
};

static void start_thread(void *arg) {
    struct start *start = arg;

    start->rc = pthread_create(start->thread, NULL, start->run, start->arg);
}

int worker_start(struct worker *w) {
    struct start start = {.thread = &w->thread, .run = work, .arg = w};

    if (w->started)
        return 0;
    worker_without_signals(start_thread, &start);
    w->started = start.rc == 0;
    return start.rc;
}

struct worker *worker_new(void) {
    struct worker *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->filled, NULL);
    return w;
}

void worker_free(struct worker *w) {
    if (!w)
        return;
    if (w->started) {
        pthread_mutex_lock(&w->lock);
        w->stopping = true;
        pthread_cond_signal(&w->filled);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->filled);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static void append(struct worker *w, struct job *job) {
    pthread_mutex_lock(&w->lock);
    if (w->head)
        w->tail->next = job;
    else
        w->head = job;
    w->tail = job;
    w->pending++;
    pthread_cond_signal(&w->filled);
    pthread_mutex_unlock(&w->lock);
}

int worker_run(struct worker *w, worker_fn *run, worker_fn *discard,
               void *data) {
    struct job *job = calloc(1, sizeof(*job));
    int rc = job ? worker_start(w) : ENOMEM;

    if (rc != 0) {
        free(job);
        discard(data);
        errno = rc;
        return -1;
    }
    job->run = run;
    job->data = data;
    append(w, job);
    return 0;
}

int worker_pending(struct worker *w) {
    int pending;

    pthread_mutex_lock(&w->lock);
    pending = w->pending;
    pthread_mutex_unlock(&w->lock);
    return pending;
}

/* Where probe threads wait, so that all are alive at once. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
};

static void *wait_at_gate(void *arg) {
    struct gate *gate = arg;

    pthread_mutex_lock(&gate->lock);
    while (!gate->open)
        pthread_cond_wait(&gate->opened, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return NULL;
}

int worker_probe_threads(int count) {
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .opened = PTHREAD_COND_INITIALIZER};
    pthread_t threads[8];
    struct start start = {.run = wait_at_gate, .arg = &gate};
    int alive = 0;

    while (alive < count && start.rc == 0) {
        start.thread = &threads[alive];
        worker_without_signals(start_thread, &start);
        if (start.rc == 0)
            alive++;
    }
    pthread_mutex_lock(&gate.lock);
    gate.open = true;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
    while (alive > 0)
        pthread_join(threads[--alive], NULL);
    return start.rc;
}

void worker_without_signals(void (*call)(void *arg), void *arg) {
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    call(arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
