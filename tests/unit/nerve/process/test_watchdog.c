/* test_watchdog.c - tests of nerve/process/watchdog.c
 *
 * No time passes: its thread looks when a test lets it.
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "nerve/log.h"
#include "nerve/process/watchdog.h"

static sem_t look, waits; /* it may look once; it waits to be let */

static int wait_for(struct pollfd *fds, nfds_t count, int timeout_ms) {
    struct timespec time = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

    return ppoll(fds, count, timeout_ms < 0 ? NULL : &time, NULL);
}

/* What the watchdog's thread waits by. */
int poll(struct pollfd *fds, nfds_t count, int timeout) {
    if (timeout != 250)
        return wait_for(fds, count, timeout);
    sem_post(&waits);
    while (sem_trywait(&look) != 0)
        if (wait_for(fds, count, 1) > 0)
            return 1;
    return 0;
}

static int last_words_fd;

int log_last_words(const struct log *l, const char *format, ...) {
    va_list args;

    (void)l;
    va_start(args, format);
    vdprintf(last_words_fd, format, args);
    va_end(args);
    return 0;
}

static uv_loop_t loop;

static int begin(void **state) {
    (void)state;
    sem_init(&look, 0, 0);
    sem_init(&waits, 0, 0);
    return uv_loop_init(&loop);
}

static int end(void **state) {
    (void)state;
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

/* Lets the watchdog look once, which it has done on return. */
static void let_look(void) {
    sem_wait(&waits);
    sem_post(&look);
}

static int lowest_free_fd(void) {
    int fd = open("/dev/null", O_RDONLY);

    close(fd);
    return fd;
}

static void a_loop_that_turns_is_never_too_still(void **state) {
    struct watch watch = {0};

    (void)state;
    for (unsigned int turn = 1; turn < 100; turn++)
        assert_false(watchdog_look(&watch, turn, 1));
}

static void a_loop_may_be_still_for_less_than_the_limit(void **state) {
    struct watch watch = {.turns = 7};

    (void)state;
    for (int times = 0; times < 3; times++) {
        assert_false(watchdog_look(&watch, 7, 4));
        assert_false(watchdog_look(&watch, 7, 4));
        assert_false(watchdog_look(&watch, 7, 4));
        assert_false(watchdog_look(&watch, 8, 4));
        watch.turns = 7;
        watch.still = 0;
    }
}

static void a_loop_that_is_still_for_the_limit_hangs(void **state) {
    struct watch watch = {.turns = 7};

    (void)state;
    assert_false(watchdog_look(&watch, 7, 3));
    assert_false(watchdog_look(&watch, 7, 3));
    assert_true(watchdog_look(&watch, 7, 3));
}

static void turns_are_told_apart_when_their_number_begins_anew(void **state) {
    struct watch watch = {.turns = UINT_MAX};

    (void)state;
    assert_false(watchdog_look(&watch, 0, 1));
    assert_true(watchdog_look(&watch, 0, 1));
}

static void hurry(uv_handle_t *handle, void *arg) {
    (void)arg;
    uv_timer_set_repeat((uv_timer_t *)handle, 1);
    uv_timer_again((uv_timer_t *)handle);
}

static void watches_a_loop_that_turns(void **state) {
    int fd = lowest_free_fd();
    struct watchdog *w = watchdog_new(&loop, NULL, 1);

    (void)state;
    assert_non_null(w);
    uv_walk(&loop, hurry, NULL);
    for (int times = 0; times < 20; times++) {
        uv_run(&loop, UV_RUN_ONCE);
        let_look();
    }
    watchdog_close(w);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(lowest_free_fd(), fd);
}

static void assert_is_slow(uv_handle_t *handle, void *arg) {
    (void)arg;
    assert_int_equal(uv_timer_get_repeat((uv_timer_t *)handle), 250);
}

static void turns_no_more_often_than_it_is_looked_at(void **state) {
    struct watchdog *w = watchdog_new(&loop, NULL, 1);

    (void)state;
    uv_walk(&loop, assert_is_slow, NULL);
    watchdog_close(w);
}

/* Runs in a process of its own, whose loop hangs; a second is four looks.
 * Writes a point after each of the first three. */
static void hang(unsigned int first, unsigned int seconds) {
    struct watchdog *w = watchdog_new(&loop, NULL, first);

    watchdog_use(w, seconds);
    for (int times = 0; times < 4; times++) {
        let_look();
        if (times < 3) {
            sem_wait(&waits);
            sem_post(&waits);
            dprintf(last_words_fd, ".");
        }
    }
    for (;;)
        pause();
}

/* Returns all that a process says whose loop hangs; it is ended by SIGABRT. */
static const char *words_of(unsigned int first, unsigned int seconds) {
    static char text[200];
    static const struct rlimit no_core = {0, 0};
    size_t length = 0;
    ssize_t count;
    int ends[2], status;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        last_words_fd = ends[1];
        signal(SIGABRT, SIG_DFL);
        setrlimit(RLIMIT_CORE, &no_core);
        hang(first, seconds);
    }
    close(ends[1]);
    while ((count = read(ends[0], text + length, sizeof(text) - length - 1)) >
           0)
        length += (size_t)count;
    text[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    return text;
}

#define LAST_WORDS                                                             \
    "...the loop has not turned for 1 s: ending, so that the sessions end "    \
    "and nothing stays registered unchecked"

static void ends_the_process_when_the_loop_hangs(void **state) {
    (void)state;
    assert_string_equal(words_of(1, 1), LAST_WORDS);
}

static void uses_another_limit_from_then_on(void **state) {
    (void)state;
    assert_string_equal(words_of(100, 1), LAST_WORDS);
}

static void is_not_there_without_a_descriptor(void **state) {
    struct rlimit before, none;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){(rlim_t)lowest_free_fd(), before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    assert_null(watchdog_new(&loop, NULL, 1));
    setrlimit(RLIMIT_NOFILE, &before);
    watchdog_use(NULL, 1);
    watchdog_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_turns_is_never_too_still),
        cmocka_unit_test(a_loop_may_be_still_for_less_than_the_limit),
        cmocka_unit_test(a_loop_that_is_still_for_the_limit_hangs),
        cmocka_unit_test(turns_are_told_apart_when_their_number_begins_anew),
        TEST(watches_a_loop_that_turns),
        TEST(turns_no_more_often_than_it_is_looked_at),
        TEST(ends_the_process_when_the_loop_hangs),
        TEST(uses_another_limit_from_then_on),
        TEST(is_not_there_without_a_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
