/* test_heartbeat.c - tests of nerve/process/heartbeat.c, on a real loop and
 * files SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "nerve/process/heartbeat.h"
#include "tests/fake/fake_log.c"

#define DEADLINE_MS 10000

static char directory[] = "/tmp/nerve-heartbeat-XXXXXX";
static char file[100], missing[100], below[120];
static uv_loop_t loop;
static struct heartbeat *heartbeat;

static int open_loop(void **state) {
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (!mkdtemp(directory) || uv_loop_init(&loop) != 0)
        return -1;
    snprintf(file, sizeof(file), "%s/beat", directory);
    snprintf(missing, sizeof(missing), "%s/missing", directory);
    snprintf(below, sizeof(below), "%s/beat", missing);
    fake_log_clear();
    heartbeat = heartbeat_new(&loop, NULL, 1);
    return heartbeat ? 0 : -1;
}

static int close_loop(void **state) {
    (void)state;
    heartbeat_close(heartbeat);
    uv_run(&loop, UV_RUN_DEFAULT);
    unlink(file);
    unlink(below);
    rmdir(missing);
    return uv_loop_close(&loop) == 0 && rmdir(directory) == 0 ? 0 : -1;
}

/* When <path> was touched, in seconds; -1: it is not there. */
static long touched(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 ? (long)st.st_mtime : -1;
}

static void grow_old(const char *path) {
    static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void run_until_touched(const char *path) {
    uint64_t end = uv_now(&loop) + DEADLINE_MS;

    while (touched(path) < 2000 && uv_now(&loop) < end)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(touched(path) >= 2000);
}

static void run_until_told(void) {
    uint64_t end = uv_now(&loop) + DEADLINE_MS;

    while (!*fake_log_text && uv_now(&loop) < end)
        uv_run(&loop, UV_RUN_ONCE);
}

static void makes_the_file_and_touches_it_again(void **state) {
    (void)state;
    heartbeat_use(heartbeat, strdup(file));
    run_until_touched(file);
    grow_old(file);
    run_until_touched(file);
    assert_true(fake_log_is(""));
}

static void leaves_what_is_in_the_file(void **state) {
    FILE *out = fopen(file, "we");

    (void)state;
    fputs("text", out);
    fclose(out);
    grow_old(file);
    heartbeat_use(heartbeat, strdup(file));
    run_until_touched(file);
    out = fopen(file, "re");
    assert_int_equal(fgetc(out), 't');
    fclose(out);
}

static void a_failure_is_told_once_and_so_is_its_end(void **state) {
    char line[300];

    (void)state;
    heartbeat_use(heartbeat, strdup(below));
    run_until_told();
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_ONCE);
    snprintf(line, sizeof(line),
             "warning heartbeat_path: %s: No such file or directory\n", below);
    assert_true(fake_log_is(line));
    assert_int_equal(mkdir(missing, 0700), 0);
    run_until_touched(below);
    run_until_told();
    snprintf(line, sizeof(line), "info heartbeat_path: %s: touched again\n",
             below);
    assert_true(fake_log_is(line));
}

static void another_path_is_touched_instead(void **state) {
    (void)state;
    assert_int_equal(mkdir(missing, 0700), 0);
    heartbeat_use(heartbeat, strdup(file));
    heartbeat_use(heartbeat, strdup(below));
    run_until_touched(below);
    assert_int_equal(touched(file), -1);
    heartbeat_use(heartbeat, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, open_loop, close_loop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(makes_the_file_and_touches_it_again),
        TEST(leaves_what_is_in_the_file),
        TEST(a_failure_is_told_once_and_so_is_its_end),
        TEST(another_path_is_touched_instead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
