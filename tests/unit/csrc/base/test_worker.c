/* test_worker.c - tests of csrc/base/worker.c
 *
 * A gate holds a job until the test has looked; nothing waits for a time.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/worker.h"

#define JOBS 100

/* What jobs write and the test reads once worker_free() has joined. */
static int order[JOBS];
static int ran;
static int discarded;
static sigset_t seen;

static void note(void *data) { order[ran++] = *(int *)data; }

static void discard(void *data) {
    (void)data;
    discarded++;
}

static void note_signals(void *data) {
    (void)data;
    pthread_sigmask(SIG_SETMASK, NULL, &seen);
}

static void wait_for_unlock(void *data) {
    pthread_mutex_lock(data);
    pthread_mutex_unlock(data);
}

static int reset(void **state) {
    (void)state;
    ran = 0;
    discarded = 0;
    return 0;
}

static void runs_jobs_in_the_order_they_were_given(void **state) {
    struct worker *w = worker_new();
    int numbers[JOBS];

    (void)state;
    for (int i = 0; i < JOBS; i++) {
        numbers[i] = i;
        assert_int_equal(worker_run(w, note, discard, &numbers[i]), 0);
    }
    worker_free(w);
    assert_int_equal(ran, JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(order[i], i);
    assert_int_equal(discarded, 0);
}

static void ends_without_a_job_ever_given(void **state) {
    (void)state;
    worker_free(worker_new());
    worker_free(NULL);
}

static void counts_a_job_until_it_has_ended(void **state) {
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct worker *w = worker_new();
    int number = 1;

    (void)state;
    assert_int_equal(worker_pending(w), 0);
    pthread_mutex_lock(&gate);
    worker_run(w, wait_for_unlock, discard, &gate);
    worker_run(w, note, discard, &number);
    assert_int_equal(worker_pending(w), 2);
    pthread_mutex_unlock(&gate);
    worker_free(w);
    assert_int_equal(ran, 1);
}

static void takes_no_signal_meant_for_the_program(void **state) {
    struct worker *w = worker_new();

    (void)state;
    worker_run(w, note_signals, discard, NULL);
    worker_free(w);
    assert_true(sigismember(&seen, SIGTERM));
    assert_true(sigismember(&seen, SIGUSR1));
    assert_true(sigismember(&seen, SIGCHLD));
}

static void gives_the_signals_back_afterwards(void **state) {
    sigset_t now;

    (void)state;
    worker_without_signals(note_signals, NULL);
    assert_true(sigismember(&seen, SIGTERM));
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    assert_false(sigismember(&now, SIGTERM));
}

static void proves_threads_where_there_are_some(void **state) {
    (void)state;
    assert_int_equal(worker_probe_threads(1), 0);
    assert_int_equal(worker_probe_threads(8), 0);
}

/* Ends with 0 when all is as it should be in a process whose user may make no
 * thread: as HAProxy's worker is without insecure-fork-wanted. */
static int without_threads(void) {
    struct rlimit none = {0, 0};
    struct worker *w = worker_new();

    if (setrlimit(RLIMIT_NPROC, &none) != 0 ||
        (geteuid() == 0 && setuid(65534) != 0))
        return 2;
    if (worker_probe_threads(3) != EAGAIN)
        return 3;
    errno = 0;
    if (worker_run(w, note, discard, NULL) != -1 || errno != EAGAIN)
        return 4;
    if (discarded != 1 || ran != 0 || worker_pending(w) != 0)
        return 5;
    worker_free(w);
    return 0;
}

static void hands_a_job_back_where_no_thread_can_be_made(void **state) {
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(without_threads());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* HAProxy forks after it has loaded Lua. */
static void works_after_a_fork(void **state) {
    struct worker *w = worker_new();
    int number = 1;
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        int rc = worker_run(w, note, discard, &number);

        worker_free(w);
        _exit(rc == 0 && ran == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    worker_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(runs_jobs_in_the_order_they_were_given, reset),
        cmocka_unit_test_setup(ends_without_a_job_ever_given, reset),
        cmocka_unit_test_setup(counts_a_job_until_it_has_ended, reset),
        cmocka_unit_test_setup(takes_no_signal_meant_for_the_program, reset),
        cmocka_unit_test_setup(gives_the_signals_back_afterwards, reset),
        cmocka_unit_test_setup(proves_threads_where_there_are_some, reset),
        cmocka_unit_test_setup(hands_a_job_back_where_no_thread_can_be_made,
                               reset),
        cmocka_unit_test_setup(works_after_a_fork, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
