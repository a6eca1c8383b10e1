/* test_holds.c - tests of nerve/operator/holds.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "nerve/operator/holds.h"

static char directory[] = "/tmp/nerve-holds-XXXXXX";
static char path[60];
static struct holds_file store;
static int free_fd;

static int lowest_free_fd(void) {
    int fd = open("/dev/null", O_RDONLY);

    close(fd);
    return fd;
}

static int begin(void **state) {
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/holds", directory);
    store = (struct holds_file){.queue = queue_new(10), .worker = worker_new()};
    free_fd = lowest_free_fd();
    return 0;
}

static int end(void **state) {
    (void)state;
    holds_file_close(&store);
    worker_free(store.worker);
    assert_int_equal(lowest_free_fd(), free_fd);
    queue_free(store.queue);
    unlink(path);
    rmdir(directory);
    return 0;
}

static void hold(const char *service) {
    struct hold one = {
        .service = strdup(service), .author = strdup("ann"), .out = true};

    assert_int_equal(holds_put(&store.holds, &one), 0);
}

/* Waits until the write <number> has ended, and returns how. */
static enum hold_kept write_and_wait(int *error) {
    uint32_t number = holds_file_write(&store);
    enum hold_kept kept;

    while ((kept = holds_file_kept(&store, number, error)) == HOLD_BEING_KEPT) {
        struct event *ev;

        assert_true(queue_wait(store.queue, 60000));
        while ((ev = queue_pop(store.queue))) {
            holds_file_absorb(&store, ev);
            event_free(ev);
        }
    }
    return kept;
}

static void are_in_the_file_when_they_are_said_to_be(void **state) {
    struct holds_file after = {0};
    struct stat about;
    int error = -1;

    (void)state;
    assert_int_equal(holds_file_use(&store, path, NULL), 0);
    hold("web");
    assert_int_equal(write_and_wait(&error), HOLD_KEPT);
    assert_int_equal(error, 0);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(holds_file_use(&after, path, NULL), 0);
    assert_int_equal(holds_file_read(&after, NULL), 0);
    assert_int_equal(after.holds.count, 1);
    assert_string_equal(after.holds.list[0].author, "ann");
    holds_file_close(&after);
}

static void are_being_kept_until_the_write_has_ended(void **state) {
    int error = -1;
    uint32_t number;

    (void)state;
    assert_int_equal(holds_file_use(&store, path, NULL), 0);
    number = holds_file_write(&store);
    assert_int_equal(holds_file_kept(&store, number, &error), HOLD_BEING_KEPT);
    assert_int_equal(error, 0);
    assert_int_equal(write_and_wait(&error), HOLD_KEPT);
}

/* Without a file they last as long as nerve does. */
static void are_kept_at_once_where_there_is_no_file(void **state) {
    int error = -1;

    (void)state;
    assert_int_equal(holds_file_use(&store, path, NULL), 0);
    assert_int_equal(holds_file_use(&store, NULL, NULL), 0);
    assert_null(store.path);
    assert_int_equal(holds_file_kept(&store, holds_file_write(&store), &error),
                     HOLD_KEPT);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(holds_file_read(&store, NULL), 0);
}

static void a_directory_that_went_and_came_again_is_found(void **state) {
    int error;

    (void)state;
    assert_int_equal(holds_file_use(&store, path, NULL), 0);
    rmdir(directory);
    assert_int_equal(write_and_wait(&error), HOLD_NOT_KEPT);
    assert_int_equal(error, ENOENT);
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(write_and_wait(&error), HOLD_KEPT);
    assert_int_equal(access(path, F_OK), 0);
}

static void a_write_that_fails_says_why(void **state) {
    int error;

    (void)state;
    assert_int_equal(holds_file_use(&store, path, NULL), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(write_and_wait(&error), HOLD_NOT_KEPT);
    assert_int_equal(error, EISDIR);
    rmdir(path);
}

static void a_file_that_is_not_there_has_no_holds(void **state) {
    struct error err = {0};

    (void)state;
    assert_int_equal(holds_file_use(&store, path, &err), 0);
    assert_int_equal(holds_file_read(&store, &err), 0);
    assert_string_equal(err.text, "");
    assert_int_equal(store.holds.count, 0);
}

static void a_file_that_cannot_be_read_is_named(void **state) {
    struct error err = {0};
    char wanted[200];
    FILE *file;

    (void)state;
    assert_int_equal(holds_file_use(&store, path, NULL), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(holds_file_read(&store, &err), -1);
    snprintf(wanted, sizeof(wanted),
             "holds_path: %s: Too many levels of symbolic links", path);
    assert_string_equal(err.text, wanted);
    unlink(path);
    file = fopen(path, "w");
    fputs("rubbish", file);
    fclose(file);
    err = (struct error){0};
    assert_int_equal(holds_file_read(&store, &err), -1);
    assert_int_equal(strncmp(err.text, wanted, strlen(path) + 14), 0);
    assert_int_equal(store.holds.count, 0);
}

static void a_path_without_a_directory_is_refused(void **state) {
    struct error err = {0};
    char nowhere[100], wanted[200];

    (void)state;
    assert_int_equal(holds_file_use(&store, path, NULL), 0);
    snprintf(nowhere, sizeof(nowhere), "%s/no/holds", directory);
    snprintf(wanted, sizeof(wanted),
             "holds_path: %s: No such file or directory", nowhere);
    assert_int_equal(holds_file_use(&store, nowhere, &err), -1);
    assert_string_equal(err.text, wanted);
    assert_string_equal(store.path, path);
    /* The same once more needs no directory. */
    rmdir(directory);
    assert_int_equal(holds_file_use(&store, path, &err), 0);
    /* A name alone is in the directory where nerve runs. */
    assert_int_equal(holds_file_use(&store, "holds", &err), 0);
}

static void know_which_boot_they_are_of(void **state) {
    char boot[100] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");

    (void)state;
    assert_non_null(file);
    assert_non_null(fgets(boot, sizeof(boot), file));
    fclose(file);
    boot[strcspn(boot, "\n")] = '\0';
    holds_file_begin(&store);
    assert_string_equal(store.holds.boot, boot);
}

/* A disk may be slow, and the next change may need no disk, or may not even
 * come to it: a request that waited for the write waited forever. */
static void a_write_that_ends_late_ends_no_later_one_anew(void **state) {
    struct holds_file late = {.written = 1};
    struct event slow = {.type = EVENT_JOB, .request = 1, .code = EIO};
    uint32_t last = holds_file_write(&late);
    int error;

    (void)state;
    assert_int_equal(holds_file_kept(&late, last, &error), HOLD_KEPT);
    holds_file_absorb(&late, &slow);
    assert_int_equal(holds_file_kept(&late, last, &error), HOLD_KEPT);
    holds_file_close(&late);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(are_in_the_file_when_they_are_said_to_be),
        TEST(are_being_kept_until_the_write_has_ended),
        TEST(are_kept_at_once_where_there_is_no_file),
        TEST(a_directory_that_went_and_came_again_is_found),
        TEST(a_write_that_fails_says_why),
        TEST(a_file_that_is_not_there_has_no_holds),
        TEST(a_file_that_cannot_be_read_is_named),
        TEST(a_path_without_a_directory_is_refused),
        TEST(know_which_boot_they_are_of),
        cmocka_unit_test(a_write_that_ends_late_ends_no_later_one_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
