/* hosts_lookup.c - resolve lists of servers without being held up
 *
 * At load getaddrinfo() takes as long as it likes, and nothing ends it: a
 * thread that hangs in it would hold libc's locks when this process forks its
 * workers. So a child process calls it and writes what it finds into memory
 * that both share.
 *
 *   parent              waits, ends the child, reads the answers that are there
 *   threads of child    each takes the next list and writes its answer
 *
 * <is_there> of an answer is set last, and is what the parent looks at. Later a
 * worker's thread asks, by a resolver.
 *
 *   loop thread         hosts_look_up_later()
 *   worker thread       look_up_job()
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "csrc/base/clock.h"
#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "csrc/zookeeper/hosts.h"
#include "csrc/zookeeper/hosts_lookup.h"

#define MOST_THREADS 16
#define NUMERIC_SIZE 8192

struct answer {
    atomic_bool is_there;
    char numeric[NUMERIC_SIZE]; /* "" for none */
    struct error err;
};

/* What parent and child share. */
struct shared {
    struct hosts_lookup *list; /* borrowed; only read by the child */
    size_t count;
    atomic_size_t next; /* which is taken next */
    bool is_over;       /* the child ended in time; only the parent's */
    struct answer answers[];
};

static void find(const char *hosts, struct answer *answer) {
    char *numeric = hosts_resolve(hosts, &answer->err);

    if (numeric && strlen(numeric) < sizeof(answer->numeric)) {
        strcpy(answer->numeric, numeric);
    } else if (numeric) {
        answer->err.text[0] = '\0';
        error_set(&answer->err, "%s: too many addresses", hosts);
    }
    free(numeric);
    atomic_store(&answer->is_there, true);
}

static void *find_all(void *arg) {
    struct shared *l = arg;
    size_t i;

    while ((i = atomic_fetch_add(&l->next, 1)) < l->count)
        find(l->list[i].hosts, &l->answers[i]);
    return NULL;
}

/* One of several name servers may be silent, so there must be time to ask the
 * next one. */
static void run_child(struct shared *l, int ended) {
    pthread_t threads[MOST_THREADS];
    size_t count = l->count < MOST_THREADS ? l->count : MOST_THREADS;
    size_t started = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("RES_OPTIONS", "timeout:1 attempts:2", 1);
    while (started + 1 < count &&
           pthread_create(&threads[started], NULL, find_all, l) == 0)
        started++;
    find_all(l);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    close(ended);
    _exit(0);
}

/* Waits until the other end of <fd> is closed, for <timeout_ms> at most. Tells
 * whether it is. */
static bool wait_for_end(int fd, int timeout_ms) {
    struct pollfd pipe = {.fd = fd, .events = POLLIN};
    int64_t until = clock_ms() + timeout_ms;
    int64_t left;

    while ((left = until - clock_ms()) > 0)
        if (poll(&pipe, 1, (int)left) == 1)
            return true;
    return false;
}

/* Returns 0, or errno. */
static int run(struct shared *l, int timeout_ms) {
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) == -1)
        return errno;
    child = fork();
    if (child == 0) {
        close(ends[0]);
        run_child(l, ends[1]);
    }
    close(ends[1]);
    if (child == -1) {
        int reason = errno;

        close(ends[0]);
        return reason;
    }
    l->is_over = wait_for_end(ends[0], timeout_ms);
    close(ends[0]);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) == -1 && errno == EINTR)
        ;
    return 0;
}

static void take_answer(struct hosts_lookup *lookup,
                        const struct answer *answer) {
    lookup->err = answer->err;
    if (!answer->numeric[0])
        return;
    lookup->numeric = strdup(answer->numeric);
    if (!lookup->numeric) {
        lookup->err.text[0] = '\0';
        error_set(&lookup->err, "%s: out of memory", lookup->hosts);
    }
}

void hosts_look_up(struct hosts_lookup *lookups, size_t count, int timeout_ms) {
    size_t size = sizeof(struct shared) + count * sizeof(struct answer);
    struct shared *l = mmap(NULL, size, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int reason = l == MAP_FAILED ? errno : 0;

    if (reason == 0) {
        l->list = lookups;
        l->count = count;
        reason = run(l, timeout_ms);
    }
    for (size_t i = 0; i < count; i++) {
        if (reason == 0 && atomic_load(&l->answers[i].is_there))
            take_answer(&lookups[i], &l->answers[i]);
        else if (reason == 0 && l->is_over)
            error_set(&lookups[i].err,
                      "%s: the process for the names ended without an answer",
                      lookups[i].hosts);
        else if (reason == 0)
            error_set(&lookups[i].err, "%s: no answer within %g s",
                      lookups[i].hosts, timeout_ms / 1000.0);
        else
            error_set(&lookups[i].err, "%s: no process for the names: %s",
                      lookups[i].hosts, strerror(reason));
    }
    if (l != MAP_FAILED)
        munmap(l, size);
}

/* A list that a worker resolves. */
struct job {
    struct queue *queue;       /* borrowed */
    struct resolver *resolver; /* borrowed */
    struct event *ended;       /* owned */
    char hosts[];              /* NUL-terminated */
};

static void free_job(void *data) {
    struct job *job = data;

    event_free(job->ended);
    free(job);
}

static void look_up_job(void *data) {
    struct job *job = data;
    struct event *ev = job->ended;
    struct error err = {.text = ""};

    ev->data = hosts_resolve_by(job->resolver, job->hosts, &err);
    ev->length = ev->data ? strlen(ev->data) : 0;
    if (err.text[0])
        ev->missing = strdup(err.text);
    job->ended = NULL;
    queue_push(job->queue, ev);
    free_job(job);
}

int hosts_look_up_later(struct worker *worker, struct queue *queue,
                        struct resolver *resolver, const char *hosts,
                        uint32_t request) {
    struct job *job = calloc(1, sizeof(*job) + strlen(hosts) + 1);
    struct event *ended = event_new(EVENT_ADDRESSES);

    if (!job || !ended) {
        free(job);
        event_free(ended);
        errno = ENOMEM;
        return -1;
    }
    ended->request = request;
    *job = (struct job){.queue = queue, .resolver = resolver, .ended = ended};
    strcpy(job->hosts, hosts);
    return worker_run(worker, look_up_job, free_job, job);
}
