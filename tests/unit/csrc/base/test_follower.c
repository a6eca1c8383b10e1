/* test_follower.c - tests of csrc/base/follower.c, in a directory of their own
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/event.h"
#include "csrc/base/follower.h"
#include "csrc/base/queue.h"

#define PATIENCE 20000 /* milliseconds for what comes */
#define SILENCE  40    /* for what does not */

struct place {
    char path[64];
    int directory;
    struct queue *queue;
    struct follower *follower;
};

static int make(void **state) {
    struct place *p = calloc(1, sizeof(*p));

    strcpy(p->path, "/tmp/myelin-test-follower-XXXXXX");
    if (!mkdtemp(p->path))
        return -1;
    p->directory = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    p->queue = queue_new(10);
    p->follower = follower_new();
    *state = p;
    return 0;
}

static int drop(void **state) {
    static const char *const names[] = {"a.json", "b.json", "a.json.new",
                                        "a.log"};
    struct place *p = *state;

    follower_free(p->follower);
    queue_free(p->queue);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlinkat(p->directory, names[i], 0);
    close(p->directory);
    rmdir(p->path);
    free(p);
    return 0;
}

static void write_file(const struct place *p, const char *name) {
    int fd = openat(p->directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, "{}", 2), 2);
    close(fd);
}

static void rename_file(const struct place *p, const char *from,
                        const char *to) {
    assert_int_equal(renameat(p->directory, from, p->directory, to), 0);
}

/* Waits until all that happened up to now has been told. */
static void assert_told(const struct place *p) {
    struct event *ev;

    assert_true(queue_wait(p->queue, PATIENCE));
    while ((ev = queue_pop(p->queue))) {
        assert_int_equal(ev->type, EVENT_FILES);
        event_free(ev);
        queue_wait(p->queue, SILENCE);
    }
}

static void assert_silent(const struct place *p) {
    assert_false(queue_wait(p->queue, SILENCE));
}

/* Fails with EMFILE where other programs have taken all inotify instances of
 * this user. */
static void add(const struct place *p, const char *ending) {
    if (follower_add(p->follower, p->path, ending) != 0)
        fail_msg("inotify: %s", strerror(errno));
}

static void follow(const struct place *p) {
    add(p, ".json");
    assert_int_equal(follower_start(p->follower, p->queue), 0);
}

static void tells_of_a_file_that_was_written(void **state) {
    struct place *p = *state;

    follow(p);
    write_file(p, "a.json");
    assert_told(p);
    write_file(p, "a.json");
    assert_told(p);
}

static void tells_of_a_file_that_got_its_name(void **state) {
    struct place *p = *state;

    follow(p);
    write_file(p, "a.json.new");
    assert_silent(p);
    rename_file(p, "a.json.new", "a.json");
    assert_told(p);
}

static void tells_of_no_file_with_another_name(void **state) {
    struct place *p = *state;

    follow(p);
    write_file(p, "a.log");
    assert_silent(p);
    rename_file(p, "a.log", "a.json");
    assert_told(p);
}

static void tells_nothing_of_a_file_that_is_gone(void **state) {
    struct place *p = *state;

    write_file(p, "a.json");
    write_file(p, "b.json");
    follow(p);
    unlinkat(p->directory, "a.json", 0);
    rename_file(p, "b.json", "a.json.new");
    assert_silent(p);
}

static void tells_of_what_happened_before_its_thread_started(void **state) {
    struct place *p = *state;

    add(p, ".json");
    write_file(p, "a.json");
    assert_int_equal(follower_start(p->follower, p->queue), 0);
    assert_told(p);
}

static void follows_two_endings_in_one_directory(void **state) {
    struct place *p = *state;

    add(p, "a.log");
    follow(p);
    write_file(p, "a.log");
    assert_told(p);
    write_file(p, "a.json");
    assert_told(p);
}

static void says_why_a_directory_cannot_be_followed(void **state) {
    struct place *p = *state;
    char path[128];

    add(p, ".json");
    write_file(p, "a.log");
    snprintf(path, sizeof(path), "%s/a.log", p->path);
    assert_int_equal(follower_add(p->follower, path, ".json"), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(follower_add(p->follower, "/no/such", ".json"), -1);
    assert_int_equal(errno, ENOENT);
}

static void starts_nothing_where_nothing_is_followed(void **state) {
    struct place *p = *state;

    assert_int_equal(follower_start(p->follower, p->queue), 0);
    write_file(p, "a.json");
    assert_silent(p);
}

static void starts_once(void **state) {
    struct place *p = *state;

    follow(p);
    assert_int_equal(follower_start(p->follower, p->queue), 0);
    write_file(p, "a.json");
    assert_told(p);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(tells_of_a_file_that_was_written),
        TEST(tells_of_a_file_that_got_its_name),
        TEST(tells_of_no_file_with_another_name),
        TEST(tells_nothing_of_a_file_that_is_gone),
        TEST(tells_of_what_happened_before_its_thread_started),
        TEST(follows_two_endings_in_one_directory),
        TEST(says_why_a_directory_cannot_be_followed),
        TEST(starts_nothing_where_nothing_is_followed),
        TEST(starts_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
