/* test_file.c - tests of csrc/base/file.c, in a directory of their own
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/event.h"
#include "csrc/base/file.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"

/* Names before a list breaks off; below 0: it does not. */
static int left = -1;
static int broken; /* errno then; 0: the list has ended */

struct dirent *__real_readdir(DIR *list);
struct dirent *__wrap_readdir(DIR *list);

struct dirent *__wrap_readdir(DIR *list) {
    if (left < 0 || left-- > 0)
        return __real_readdir(list);
    left = 0;
    if (broken != 0)
        errno = broken;
    return NULL;
}

/* The type of every file system; 0: its own. */
static uint32_t type;

int __real_fstatfs(int fd, struct statfs *status);
int __wrap_fstatfs(int fd, struct statfs *status);

int __wrap_fstatfs(int fd, struct statfs *status) {
    int rc = __real_fstatfs(fd, status);

    if (type != 0)
        status->f_type = type;
    return rc;
}

struct place {
    char path[64];
    int directory;
    struct queue *queue;
    struct worker *worker;
};

static int make(void **state) {
    struct place *p = calloc(1, sizeof(*p));

    strcpy(p->path, "/tmp/myelin-test-file-XXXXXX");
    if (!mkdtemp(p->path))
        return -1;
    p->directory = file_open_directory(p->path);
    p->queue = queue_new(10);
    p->worker = worker_new();
    *state = p;
    return 0;
}

/* Calls <visit> for each file of <p>; returns how many there are. */
static int each_file(struct place *p,
                     void (*visit)(struct place *p, const char *name)) {
    DIR *directory = opendir(p->path);
    struct dirent *entry;
    int count = 0;

    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (visit)
            visit(p, entry->d_name);
    }
    closedir(directory);
    return count;
}

static void drop(struct place *p, const char *name) {
    unlinkat(p->directory, name, 0);
}

static int unmake(void **state) {
    struct place *p = *state;

    worker_free(p->worker);
    queue_free(p->queue);
    each_file(p, drop);
    close(p->directory);
    rmdir(p->path);
    free(p);
    return 0;
}

/* Writes <data> to <name> and returns how the job ended. */
static int write_and_wait(struct place *p, const char *name, const char *data,
                          size_t length) {
    struct event *ev;
    int code;

    assert_int_equal(file_write(p->worker, p->queue, p->directory, name, data,
                                length, 0600, 9),
                     0);
    assert_true(queue_wait(p->queue, 60000));
    ev = queue_pop(p->queue);
    assert_int_equal(ev->type, EVENT_JOB);
    assert_int_equal(ev->request, 9);
    code = ev->code;
    event_free(ev);
    return code;
}

static void assert_holds(struct place *p, const char *name, const char *wanted,
                         size_t size) {
    size_t length = 0;
    char *data = file_read(p->directory, name, 1 << 20, &length);

    assert_non_null(data);
    assert_int_equal(length, size);
    assert_memory_equal(data, wanted, size);
    assert_int_equal(data[length], '\0');
    free(data);
}

static void assert_refuses_to_read(struct place *p, const char *name,
                                   size_t max, int reason) {
    size_t length;

    errno = 0;
    assert_null(file_read(p->directory, name, max, &length));
    assert_int_equal(errno, reason);
}

static void reads_back_what_was_written(void **state) {
    struct place *p = *state;

    assert_int_equal(write_and_wait(p, "snapshot", "a\0b", 3), 0);
    assert_holds(p, "snapshot", "a\0b", 3);
}

static void writes_an_empty_file(void **state) {
    struct place *p = *state;

    assert_int_equal(write_and_wait(p, "snapshot", "", 0), 0);
    assert_holds(p, "snapshot", "", 0);
}

static void replaces_the_old_file_and_leaves_no_other(void **state) {
    struct place *p = *state;

    assert_int_equal(write_and_wait(p, "snapshot", "the first one", 13), 0);
    assert_int_equal(write_and_wait(p, "snapshot", "second", 6), 0);
    assert_holds(p, "snapshot", "second", 6);
    assert_int_equal(each_file(p, NULL), 1);
}

static void makes_files_of_the_mode_that_it_is_told(void **state) {
    struct place *p = *state;
    struct stat status;

    umask(077);
    assert_int_equal(
        file_write(p->worker, p->queue, p->directory, "file", "x", 1, 0644, 1),
        0);
    assert_true(queue_wait(p->queue, 60000));
    event_free(queue_pop(p->queue));
    assert_int_equal(fstatat(p->directory, "file", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
}

static void makes_files_that_only_their_owner_reads(void **state) {
    struct place *p = *state;
    struct stat status;

    umask(0);
    assert_int_equal(write_and_wait(p, "snapshot", "x", 1), 0);
    assert_int_equal(fstatat(p->directory, "snapshot", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

/* The size of a file is limited as a full disk would: write() fails after the
 * first bytes. */
static void keeps_the_old_file_when_the_new_one_has_no_room(void **state) {
    static char large[65536];
    struct place *p = *state;
    struct rlimit before;
    struct rlimit small;
    int code;

    assert_int_equal(write_and_wait(p, "snapshot", "old", 3), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &small);
    code = write_and_wait(p, "snapshot", large, sizeof(large));
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(code, EFBIG);
    assert_holds(p, "snapshot", "old", 3);
    assert_int_equal(each_file(p, NULL), 1);
}

static void keeps_the_old_file_when_it_cannot_be_replaced(void **state) {
    struct place *p = *state;

    assert_int_equal(mkdirat(p->directory, "snapshot", 0700), 0);
    assert_int_equal(write_and_wait(p, "snapshot", "x", 1), EISDIR);
    assert_int_equal(each_file(p, NULL), 1);
    assert_int_equal(unlinkat(p->directory, "snapshot", AT_REMOVEDIR), 0);
}

/* What a crash left behind must not stop a later process of the same id, which
 * is the rule in a container. */
static void writes_beside_what_an_earlier_process_left(void **state) {
    struct place *p = *state;
    char name[64];
    int fd;

    snprintf(name, sizeof(name), ".snapshot.%d.9", (int)getpid());
    fd = openat(p->directory, name, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(write_and_wait(p, "snapshot", "x", 1), 0);
    assert_holds(p, "snapshot", "x", 1);
}

static void replaces_a_symbolic_link_and_not_its_target(void **state) {
    struct place *p = *state;

    assert_int_equal(write_and_wait(p, "target", "precious", 8), 0);
    assert_int_equal(symlinkat("target", p->directory, "snapshot"), 0);
    assert_int_equal(write_and_wait(p, "snapshot", "new", 3), 0);
    assert_holds(p, "target", "precious", 8);
    assert_holds(p, "snapshot", "new", 3);
}

/* Returns the descriptor that is opened next. */
static int next_descriptor(void) {
    int fd = dup(0);

    close(fd);
    return fd;
}

static void leaves_no_file_open(void **state) {
    struct place *p = *state;
    int fd = openat(p->directory, "file", O_WRONLY | O_CREAT, 0600), before;
    size_t length;
    uint64_t stamp;

    assert_int_equal(write(fd, "12345", 5), 5);
    close(fd);
    before = next_descriptor();
    assert_holds(p, "file", "12345", 5);
    assert_refuses_to_read(p, "file", 4, EFBIG);
    assert_refuses_to_read(p, ".", 100, EINVAL);
    assert_int_equal(file_stamp(p->directory, "file", &stamp), 0);
    file_remote(p->directory, "file");
    free(file_list(p->directory, ".", &length));
    assert_null(file_list(p->directory, "file", &length));
    assert_int_equal(next_descriptor(), before);
}

static void reads_through_no_symbolic_link(void **state) {
    struct place *p = *state;

    assert_int_equal(write_and_wait(p, "target", "x", 1), 0);
    assert_int_equal(symlinkat("target", p->directory, "link"), 0);
    assert_refuses_to_read(p, "link", 100, ELOOP);
}

static void reads_no_more_than_it_may(void **state) {
    struct place *p = *state;

    assert_int_equal(write_and_wait(p, "file", "12345", 5), 0);
    assert_refuses_to_read(p, "file", 4, EFBIG);
    assert_holds(p, "file", "12345", 5);
}

static void reads_regular_files_only_and_never_waits(void **state) {
    struct place *p = *state;

    assert_refuses_to_read(p, ".", 100, EINVAL);
    assert_refuses_to_read(p, "missing", 100, ENOENT);
    assert_int_equal(mkfifoat(p->directory, "fifo", 0600), 0);
    assert_refuses_to_read(p, "fifo", 100, EINVAL);
}

static void opens_directories_only_and_closes_them_on_exec(void **state) {
    struct place *p = *state;

    assert_true(fcntl(p->directory, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write_and_wait(p, "file", "x", 1), 0);
    assert_int_equal(file_open_directory("/dev/null"), -1);
    assert_int_equal(errno, ENOTDIR);
}

static void needs_the_directory_only_during_the_call(void **state) {
    struct place *p = *state;
    int other = file_open_directory(p->path);
    struct event *ev;

    assert_int_equal(
        file_write(p->worker, p->queue, other, "file", "x", 1, 0600, 1), 0);
    close(other);
    assert_true(queue_wait(p->queue, 60000));
    ev = queue_pop(p->queue);
    assert_int_equal(ev->code, 0);
    event_free(ev);
    assert_int_equal(
        file_write(p->worker, p->queue, -1, "file", "x", 1, 0600, 1), -1);
    assert_int_equal(errno, EBADF);
}

static bool exists(struct place *p, const char *name) {
    return faccessat(p->directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Makes an empty file that was changed <age> seconds ago. */
static void leave(struct place *p, const char *name, time_t age) {
    struct timespec times[2] = {{.tv_sec = time(NULL) - age}};
    int fd = openat(p->directory, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

    times[1] = times[0];
    assert_int_not_equal(fd, -1);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static void
removes_what_a_crash_left_of_its_own_and_nothing_else(void **state) {
    static const char *others[] = {
        ".other.0123456789abcdef",   ".snapshot.0123456789abcdeg",
        ".snapshot.0123456789abcde", ".snapshot.0123456789abcdef0",
        "snapshot.0123456789abcdef", ".snapshot"};
    struct place *p = *state;

    leave(p, ".snapshot.0123456789abcdef", 120);
    leave(p, ".snapshot.fedcba9876543210", 5);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        leave(p, others[i], 120);
    assert_int_equal(write_and_wait(p, "snapshot", "x", 1), 0);
    assert_false(exists(p, ".snapshot.0123456789abcdef"));
    assert_true(exists(p, ".snapshot.fedcba9876543210"));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_true(exists(p, others[i]));
}

static void removes_a_file_that_may_be_gone_already(void **state) {
    struct place *p = *state;

    leave(p, "file", 0);
    for (int i = 0; i < 2; i++) {
        struct event *ev;

        assert_int_equal(
            file_remove(p->worker, p->queue, p->directory, "file", 7), 0);
        assert_true(queue_wait(p->queue, 60000));
        ev = queue_pop(p->queue);
        assert_int_equal(ev->request, 7);
        assert_int_equal(ev->code, 0);
        event_free(ev);
        assert_false(exists(p, "file"));
    }
}

static void says_why_a_file_cannot_be_removed(void **state) {
    struct place *p = *state;
    struct event *ev;

    assert_int_equal(mkdirat(p->directory, "file", 0700), 0);
    assert_int_equal(file_remove(p->worker, p->queue, p->directory, "file", 7),
                     0);
    assert_true(queue_wait(p->queue, 60000));
    ev = queue_pop(p->queue);
    assert_int_equal(ev->code, EISDIR);
    event_free(ev);
    assert_int_equal(unlinkat(p->directory, "file", AT_REMOVEDIR), 0);
}

static void tells_when_a_file_was_changed(void **state) {
    struct place *p = *state;
    int64_t age;

    leave(p, "file", 1000);
    age = (int64_t)time(NULL) - file_changed(p->directory, "file");
    assert_in_range(age, 1000, 1060);
    assert_int_equal(file_changed(p->directory, "none"), -1);
    assert_int_equal(errno, ENOENT);
}

static void reads_what_a_symbolic_link_leads_to_where_it_may(void **state) {
    struct place *p = *state;
    size_t length;
    char *data;

    assert_int_equal(write_and_wait(p, "target", "x", 1), 0);
    assert_int_equal(symlinkat("target", p->directory, "link"), 0);
    data = file_read_linked(p->directory, "link", 100, &length);
    assert_non_null(data);
    assert_string_equal(data, "x");
    free(data);
    assert_null(file_read_linked(p->directory, ".", 100, &length));
}

static uint64_t stamp_of(const struct place *p, const char *name) {
    uint64_t stamp;

    assert_int_equal(file_stamp(p->directory, name, &stamp), 0);
    return stamp;
}

static void stamps_a_file_anew_when_another_takes_its_place(void **state) {
    struct place *p = *state;
    uint64_t before, ignored;

    assert_int_equal(write_and_wait(p, "target", "x", 1), 0);
    assert_int_equal(symlinkat("target", p->directory, "link"), 0);
    before = stamp_of(p, "target");
    assert_true(before == stamp_of(p, "target"));
    assert_true(before == stamp_of(p, "link"));
    assert_int_equal(write_and_wait(p, "target", "y", 1), 0);
    assert_true(before != stamp_of(p, "target"));
    assert_int_equal(file_stamp(p->directory, "none", &ignored), -1);
    assert_int_equal(errno, ENOENT);
}

static void lists_the_names_in_a_directory(void **state) {
    struct place *p = *state;
    size_t length, count = 0;
    char *names;

    assert_int_equal(write_and_wait(p, "one", "x", 1), 0);
    assert_int_equal(write_and_wait(p, "two", "x", 1), 0);
    names = file_list(p->directory, ".", &length);
    assert_non_null(names);
    for (size_t at = 0; at < length; at += strlen(names + at) + 1)
        if (names[at] != '.')
            count++;
    assert_int_equal(count, 2);
    free(names);
    assert_null(file_list(p->directory, "one", &length));
    assert_int_equal(errno, ENOTDIR);
    assert_null(file_list(p->directory, "none", &length));
    assert_int_equal(errno, ENOENT);
}

static void lists_no_part_of_a_directory(void **state) {
    struct place *p = *state;
    size_t length;

    left = 1;
    broken = EIO;
    assert_null(file_list(p->directory, ".", &length));
    assert_int_equal(errno, EIO);
    left = -1;
}

static void lists_a_directory_without_names(void **state) {
    struct place *p = *state;
    size_t length;
    char *names;

    left = 0;
    broken = 0;
    errno = EIO; /* of something before */
    names = file_list(p->directory, ".", &length);
    assert_non_null(names);
    assert_int_equal(length, 0);
    free(names);
    left = -1;
}

static void knows_what_is_on_a_network_file_system(void **state) {
    struct place *p = *state;

    assert_int_equal(write_and_wait(p, "file", "x", 1), 0);
    type = 0xef53; /* ext4 */
    assert_null(file_remote(p->directory, "file"));
    type = 0x6969;
    assert_string_equal(file_remote(p->directory, "file"), "NFS");
    assert_string_equal(file_remote(p->directory, p->path), "NFS");
    type = 0xff534d42; /* the largest of 32 bits */
    assert_string_equal(file_remote(p->directory, "."), "SMB");
    assert_null(file_remote(p->directory, "none"));
    type = 0;
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PLACE(reads_back_what_was_written),
        WITH_PLACE(writes_an_empty_file),
        WITH_PLACE(replaces_the_old_file_and_leaves_no_other),
        WITH_PLACE(makes_files_that_only_their_owner_reads),
        WITH_PLACE(makes_files_of_the_mode_that_it_is_told),
        WITH_PLACE(keeps_the_old_file_when_the_new_one_has_no_room),
        WITH_PLACE(keeps_the_old_file_when_it_cannot_be_replaced),
        WITH_PLACE(writes_beside_what_an_earlier_process_left),
        WITH_PLACE(replaces_a_symbolic_link_and_not_its_target),
        WITH_PLACE(leaves_no_file_open),
        WITH_PLACE(reads_through_no_symbolic_link),
        WITH_PLACE(reads_no_more_than_it_may),
        WITH_PLACE(reads_regular_files_only_and_never_waits),
        WITH_PLACE(opens_directories_only_and_closes_them_on_exec),
        WITH_PLACE(needs_the_directory_only_during_the_call),
        WITH_PLACE(removes_what_a_crash_left_of_its_own_and_nothing_else),
        WITH_PLACE(removes_a_file_that_may_be_gone_already),
        WITH_PLACE(says_why_a_file_cannot_be_removed),
        WITH_PLACE(tells_when_a_file_was_changed),
        WITH_PLACE(reads_what_a_symbolic_link_leads_to_where_it_may),
        WITH_PLACE(stamps_a_file_anew_when_another_takes_its_place),
        WITH_PLACE(lists_the_names_in_a_directory),
        WITH_PLACE(lists_no_part_of_a_directory),
        WITH_PLACE(lists_a_directory_without_names),
        WITH_PLACE(knows_what_is_on_a_network_file_system),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
