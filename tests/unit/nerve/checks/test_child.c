/* test_child.c - tests of nerve/checks/child.c, with real programs
 *
 * A program that must be gone held the writing end of a FIFO: its end is the
 * end of what can be read.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "nerve/checks/child.h"

#define DEADLINE_MS 20000

static uv_loop_t loop;
static struct children *children;
static char fifo[] = "/tmp/test_child-XXXXXX/fifo";
static int results;
static int status_seen;
static int error_seen;
static char line_seen[200];

static int open_loop(void **state) {
    struct rlimit limit;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 200;
    results = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    children = children_new(&loop, &limit);
    return children ? 0 : -1;
}

static int close_loop(void **state) {
    (void)state;
    children_close(children);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void on_done(void *arg, const struct child_end *end) {
    assert_ptr_equal(arg, line_seen);
    results++;
    error_seen = end->error;
    status_seen = end->status;
    snprintf(line_seen, sizeof(line_seen), "%s", end->line);
}

static struct child *start(char *const *argv) {
    int error = 0;
    struct child *child =
        child_start(children, argv, on_done, line_seen, &error);

    assert_int_equal(error, 0);
    assert_non_null(child);
    return child;
}

static struct child *start_shell(const char *script) {
    char shell[] = "sh", option[] = "-c", *text = strdup(script);
    char *argv[] = {shell, option, text, NULL};
    struct child *child = start(argv);

    free(text);
    return child;
}

static void run_shell(const char *script) {
    start_shell(script);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(results, 1);
    results = 0;
}

static void its_status_and_its_last_line_are_told(void **state) {
    (void)state;
    run_shell("exit 0");
    assert_int_equal(status_seen, 0);
    assert_string_equal(line_seen, "");
    run_shell("echo out; echo first >&2; echo last >&2; exit 3");
    assert_int_equal(status_seen, 3);
    assert_string_equal(line_seen, "last");
    run_shell("kill -KILL $$");
    assert_int_equal(status_seen, -SIGKILL);
}

static void much_output_is_read_to_its_end(void **state) {
    (void)state;
    run_shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done");
    assert_int_equal(status_seen, 0);
    assert_string_equal(line_seen, "line 20000");
}

static void it_reads_nothing(void **state) {
    (void)state;
    run_shell("cat; echo over");
    assert_string_equal(line_seen, "over");
}

static void it_holds_none_of_our_descriptors(void **state) {
    int high = fcntl(0, F_DUPFD, 77);
    char link[40];

    (void)state;
    snprintf(link, sizeof(link), "test -e /proc/$$/fd/%d", high);
    assert_true(high >= 77);
    run_shell(link);
    close(high);
    assert_int_equal(status_seen, 1);
}

static void it_takes_signals_as_any_program(void **state) {
    sigset_t term, before;

    (void)state;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    signal(SIGPIPE, SIG_IGN);
    run_shell("kill -TERM $$; exit 1");
    assert_int_equal(status_seen, -SIGTERM);
    run_shell("kill -PIPE $$; exit 1");
    assert_int_equal(status_seen, -SIGPIPE);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static int error_of(char *program) {
    char *argv[] = {program, NULL};

    error_seen = 0;
    start(argv);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(results, 1);
    results = 0;
    return error_seen;
}

static void what_cannot_be_run_is_an_error(void **state) {
    char missing[] = "/nonexistent/program", directory[] = "/tmp";

    (void)state;
    assert_int_equal(error_of(missing), ENOENT);
    assert_int_equal(error_of(directory), EACCES);
}

/* The limit that nerve raises for itself made programs that close all
 * descriptors one by one overrun their timeout. */
static void it_has_the_limit_of_descriptors_that_is_given(void **state) {
    (void)state;
    run_shell("ulimit -n");
    assert_string_equal(line_seen, "200");
}

/* A program that closes its output left the loop with a pipe that is readable
 * for ever. */
static void closed_output_keeps_nobody_busy(void **state) {
    int turns = 0;

    (void)state;
    start_shell("exec >&- 2>&-; sleep 0.3; exit 4");
    while (uv_run(&loop, UV_RUN_ONCE))
        turns++;
    assert_int_equal(status_seen, 4);
    assert_in_range(turns, 1, 10);
}

static int open_fifo(void) {
    char *slash;
    int fd;

    strcpy(fifo, "/tmp/test_child-XXXXXX/fifo");
    slash = strrchr(fifo, '/');
    *slash = '\0';
    assert_non_null(mkdtemp(fifo));
    *slash = '/';
    assert_int_equal(mkfifo(fifo, 0600), 0);
    fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void close_fifo(int fd) {
    close(fd);
    unlink(fifo);
    *strrchr(fifo, '/') = '\0';
    rmdir(fifo);
}

/* Waits for the next byte, or for the end: returns "" then. */
static const char *next_byte(int fd) {
    static char text[2];
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, DEADLINE_MS) == -1)
        assert_int_equal(errno, EINTR); /* the end of another program */
    assert_int_equal(p.revents != 0, 1);
    text[0] = '\0';
    assert_true(read(fd, text, 1) >= 0);
    return text;
}

static void on_turn(uv_timer_t *timer) { (void)timer; }

/* Where pidfd_open() was refused every program was told to have failed; and
 * what other programs had left behind stayed a zombie, for nobody waited for
 * it. */
static void what_is_inherited_is_waited_for(void **state) {
    pid_t left;
    int fd = open_fifo(), number = 0;
    char script[300], byte[2];
    uv_timer_t timer;

    (void)state;
    if (getpid() != 1) /* qemu-user refuses it */
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    snprintf(script, sizeof(script),
             "exec 5>%s; setsid sh -c 'echo $$ >&5; sleep 0.2' & exit 0", fifo);
    start_shell(script);
    while (*strcpy(byte, next_byte(fd)) != '\n')
        number = number * 10 + (*byte - '0');
    left = number;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_turn, 10, 10);
    while (kill(left, 0) == 0)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    close_fifo(fd);
}

static void what_it_leaves_running_ends_with_it(void **state) {
    int fd = open_fifo();
    char script[200];

    (void)state;
    snprintf(script, sizeof(script), "exec 5>%s; printf x >&5; sleep 1000 &",
             fifo);
    run_shell(script);
    assert_int_equal(status_seen, 0);
    assert_string_equal(next_byte(fd), "x");
    assert_string_equal(next_byte(fd), "");
    close_fifo(fd);
}

static void all_of_it_is_killed(void **state) {
    int fd = open_fifo();
    struct child *child;
    char script[200];

    (void)state;
    snprintf(script, sizeof(script),
             "trap '' TERM; exec 5>%s; sleep 1000 & printf x >&5; wait", fifo);
    child = start_shell(script);
    assert_string_equal(next_byte(fd), "x");
    child_kill(child);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_string_equal(next_byte(fd), "");
    assert_int_equal(results, 0);
    close_fifo(fd);
}

static void endless_output_is_not_kept(void **state) {
    char yes[] = "yes";
    char *argv[] = {yes, NULL};
    struct child *child = start(argv);

    (void)state;
    for (int i = 0; i < 1000; i++)
        uv_run(&loop, UV_RUN_ONCE);
    child_kill(child);
    assert_int_equal(children_count(children), 1);
}

/* Leaves no descriptor behind: as many are open as before. */
static void no_descriptor_is_left(void **state) {
    int before = open("/dev/null", O_RDONLY), after;

    (void)state;
    close(before);
    for (int i = 0; i < 20; i++)
        run_shell("exit 1");
    what_cannot_be_run_is_an_error(state);
    after = open("/dev/null", O_RDONLY);
    close(after);
    assert_int_equal(after, before);
    assert_int_equal(children_count(children), 0);
}

/* Leases <program>, which is made: who opens it waits, as on a file system that
 * hangs. Returns what must be closed to end that. */
static int hold_loading(char *program) {
    int fd;

    strcpy(program, "/tmp/test_child-XXXXXX");
    fd = mkstemp(program);
    assert_true(fd >= 0);
    dprintf(fd, "#!/bin/sh\nexit 5\n");
    assert_int_equal(fchmod(fd, 0700), 0);
    signal(SIGIO, SIG_IGN);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
    return fd;
}

/* Tells whether a vfork is one here: an emulator (qemu-user) makes a fork of
 * it, and then nobody knows how long a program is being loaded. */
static bool vfork_shares_memory(void) {
    volatile bool shared = false;
    pid_t pid = vfork();

    if (pid == 0) {
        shared = true;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    return shared;
}

static void on_timer(uv_timer_t *timer) { uv_close((void *)timer, NULL); }

/* The loop waited while a program was loaded. From a file system that hung
 * that took so long that the watchdog ended nerve, again and again. */
static void nobody_waits_while_it_is_loaded(void **state) {
    char program[40], *argv[] = {program, NULL};
    int fd = hold_loading(program), error = 0;
    struct child *child = start(argv);
    uv_timer_t timer;

    (void)state;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_timer, 50, 0);
    while (!uv_is_closing((uv_handle_t *)&timer))
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(results, 0);
    child_kill(child);
    if (vfork_shares_memory()) {
        assert_null(child_start(children, argv, on_done, line_seen, &error));
        assert_int_equal(error, EINPROGRESS);
    }
    close(fd);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(results, 0);
    start(argv);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(status_seen, 5);
    unlink(program);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

static void the_last_line_that_holds_something_is_kept(void **state) {
    static const struct {
        const char *output;
        const char *last;
    } cases[] = {
        {"", ""},           {"\n\n", ""},        {"one", "one"},
        {"one\n", "one"},   {"one\ntwo", "two"}, {"one\ntwo\n\n", "two"},
        {"one\r\n", "one"}, {"50%\r51%", "51%"}, {"\none\n", "one"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct last_line whole = {0}, parts = {0};
        const char *output = cases[i].output;

        last_line_add(&whole, output, strlen(output));
        assert_string_equal(whole.text, cases[i].last);
        for (; *output; output++)
            last_line_add(&parts, output, 1);
        assert_string_equal(parts.text, cases[i].last);
    }
}

static void of_a_long_line_the_beginning_is_kept(void **state) {
    struct last_line l = {0};

    (void)state;
    last_line_add(&l, "begin ", 6);
    for (int i = 0; i < 100000; i++)
        last_line_add(&l, "xy", 2);
    assert_int_equal(strlen(l.text), sizeof(l.text) - 1);
    assert_memory_equal(l.text, "begin xyxy", 10);
    last_line_add(&l, "\nshort", 6);
    assert_string_equal(l.text, "short");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(its_status_and_its_last_line_are_told),
        TEST(much_output_is_read_to_its_end),
        TEST(it_reads_nothing),
        TEST(it_holds_none_of_our_descriptors),
        TEST(it_takes_signals_as_any_program),
        TEST(what_cannot_be_run_is_an_error),
        TEST(nobody_waits_while_it_is_loaded),
        TEST(it_has_the_limit_of_descriptors_that_is_given),
        TEST(closed_output_keeps_nobody_busy),
        TEST(what_is_inherited_is_waited_for),
        TEST(what_it_leaves_running_ends_with_it),
        TEST(all_of_it_is_killed),
        TEST(endless_output_is_not_kept),
        TEST(no_descriptor_is_left),
        cmocka_unit_test(the_last_line_that_holds_something_is_kept),
        cmocka_unit_test(of_a_long_line_the_beginning_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
