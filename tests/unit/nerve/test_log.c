/* test_log.c - tests of nerve/log.c
 *
 * Lines go to a pipe, which a test leaves full or empties.
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "nerve/log.h"

#define PATIENCE_MS 10000

static int pipe_ends[2];
static char seen[4 << 20];
static size_t seen_length;

static int open_pipe(void **state) {
    (void)state;
    seen_length = 0;
    seen[0] = '\0';
    return pipe2(pipe_ends, O_CLOEXEC);
}

static int close_pipe(void **state) {
    (void)state;
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return 0;
}

/* Reads what is there, or comes within a moment, into <seen>. A writer that
 * has written all may not have said so yet: to read on then hung the test. */
static void read_some(void) {
    struct pollfd wanted = {.fd = pipe_ends[0], .events = POLLIN};
    ssize_t count;

    if (poll(&wanted, 1, 50) == 0)
        return;
    count =
        read(pipe_ends[0], seen + seen_length, sizeof(seen) - seen_length - 1);
    assert_true(count > 0);
    seen_length += (size_t)count;
    seen[seen_length] = '\0';
}

/* Returns what follows the time in the first line. */
static const char *after_time(void) {
    assert_true(seen_length > 25);
    assert_int_equal(seen[10], 'T');
    assert_int_equal(seen[23], 'Z');
    return seen + 25;
}

/* Another program that shares standard error can make it non-blocking: then a
 * line ended where the pipe was full. */
static void a_full_pipe_that_does_not_block_cuts_no_line(void **state) {
    struct log *log = log_new(pipe_ends[1], LEVEL_INFO);
    static const char filling[65536];

    (void)state;
    fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK);
    assert_true(write(pipe_ends[1], filling, sizeof(filling)) > 0);
    log_line(log, LEVEL_INFO, "said late");
    assert_int_equal(log_flush(log, 50), -1);
    while (!memmem(seen, seen_length, "said late\n", 10))
        read_some();
    assert_int_equal(log_flush(log, PATIENCE_MS), 0);
    log_free(log);
}

static void a_line_has_time_level_and_text(void **state) {
    struct log *log = log_new(pipe_ends[1], LEVEL_INFO);

    (void)state;
    log_line(log, LEVEL_WARNING, "web: %d of %s", 1, "two");
    assert_int_equal(log_flush(log, PATIENCE_MS), 0);
    read_some();
    assert_string_equal(after_time(), "warning web: 1 of two\n");
    log_free(log);
}

static void lines_above_the_level_are_left_out(void **state) {
    struct log *log = log_new(pipe_ends[1], LEVEL_WARNING);

    (void)state;
    log_line(log, LEVEL_DEBUG, "no");
    log_line(log, LEVEL_INFO, "no");
    log_line(log, LEVEL_ERROR, "yes");
    assert_int_equal(log_flush(log, PATIENCE_MS), 0);
    read_some();
    assert_string_equal(after_time(), "error yes\n");
    log_free(log);
}

static void a_line_is_one_line_whatever_is_in_it(void **state) {
    struct log *log = log_new(pipe_ends[1], LEVEL_INFO);

    (void)state;
    log_line(log, LEVEL_INFO, "a\nb\r\033[2Jc\x7f \xc3\xa9");
    assert_int_equal(log_flush(log, PATIENCE_MS), 0);
    read_some();
    assert_string_equal(after_time(), "info a?b??[2Jc? \xc3\xa9\n");
    log_free(log);
}

static void a_long_line_is_cut(void **state) {
    struct log *log = log_new(pipe_ends[1], LEVEL_INFO);

    (void)state;
    log_line(log, LEVEL_INFO, "%02000d", 0);
    log_line(log, LEVEL_INFO, "next");
    assert_int_equal(log_flush(log, PATIENCE_MS), 0);
    read_some();
    assert_int_equal(strcspn(seen, "\n"), 1023);
    assert_non_null(strstr(seen, "info next\n"));
    log_free(log);
}

/* Returns how often <word> stands in what was read, at a line's level. */
static unsigned long lines_seen(const char *word) {
    unsigned long count = 0;

    for (const char *at = seen; (at = strstr(at, word)); at++)
        count++;
    return count;
}

/* Returns how many lines were dropped, by all lines that say so. */
static unsigned long dropped_lines(void) {
    unsigned long sum = 0, one;

    for (const char *at = seen; (at = strstr(at, "Z warning ")); at++) {
        assert_int_equal(sscanf(at, "Z warning %lu log lines", &one), 1);
        sum += one;
    }
    return sum;
}

/* Each of a thousand services may say more than one thing when a configuration
 * is read again. Most was dropped, and that the reload was done with it. */
static void a_burst_of_lines_is_written_in_full(void **state) {
    struct log *log = log_new(pipe_ends[1], LEVEL_INFO);

    (void)state;
    for (int i = 0; i < 3000; i++)
        log_line(log, LEVEL_INFO, "s%d: settings changed", i);
    while (log_flush(log, 0) != 0)
        read_some();
    while (!strstr(seen, "info s2999: settings changed\n"))
        read_some();
    assert_int_equal(lines_seen("Z info "), 3000);
    log_free(log);
}

/* Nobody reads: nothing waits for that, and the reader is told later. It may
 * be told more than once: a busy machine's writer drains its queue in the
 * middle, and the first number was then taken for the whole. */
static void lines_that_nobody_reads_are_dropped_and_counted(void **state) {
    struct log *log = log_new(pipe_ends[1], LEVEL_INFO);

    (void)state;
    for (int i = 0; i < 8000; i++)
        log_line(log, LEVEL_INFO, "%0500d", i);
    assert_int_equal(log_flush(log, 0), -1);
    while (log_flush(log, 0) != 0)
        read_some();
    log_line(log, LEVEL_INFO, "last");
    assert_int_equal(log_flush(log, PATIENCE_MS), 0);
    while (!strstr(seen, "info last\n"))
        read_some();
    assert_true(dropped_lines() > 2000);
    assert_int_equal(lines_seen("Z info ") + dropped_lines(), 8001);
    log_free(log);
}

/* The watchdog's, when the loop hangs: they are written at once or not at
 * all. */
static void last_words_are_written_at_once_or_not_at_all(void **state) {
    struct log *log = log_new(pipe_ends[1], LEVEL_ERROR);
    static const char filling[65536];

    (void)state;
    assert_int_equal(log_last_words(log, "hung for %d s", 30), 0);
    read_some();
    assert_string_equal(after_time(), "error hung for 30 s\n");
    fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK);
    while (write(pipe_ends[1], filling, sizeof(filling)) > 0)
        ;
    assert_int_equal(log_last_words(log, "unheard"), -1);
    log_free(log);
    log_free(NULL);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_pipe, close_pipe)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_full_pipe_that_does_not_block_cuts_no_line),
        TEST(a_line_has_time_level_and_text),
        TEST(lines_above_the_level_are_left_out),
        TEST(a_line_is_one_line_whatever_is_in_it),
        TEST(a_long_line_is_cut),
        TEST(a_burst_of_lines_is_written_in_full),
        TEST(lines_that_nobody_reads_are_dropped_and_counted),
        TEST(last_words_are_written_at_once_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
