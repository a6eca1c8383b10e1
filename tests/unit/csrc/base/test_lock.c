/* test_lock.c - tests of csrc/base/lock.c, in a directory of their own
 *
 * Two HAProxies with one state_file_path overwrote each other's states. A lock
 * that two workers of one HAProxy could not share would have cost a reload its
 * states, and one that a dead process keeps would have cost the next start.
 * SPDX-License-Identifier: MIT
 */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/file.h"
#include "csrc/base/lock.h"

#define MINE  0x123456789abcdef0
#define OTHER 0xfedcba9876543210

/* How often lock_take() has waited at the gate; at the third time who is there
 * leaves it, if <gate> is set. */
static int waited;
static int gate = -1;

static int set_gate(int fd, short type) {
    struct flock range = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

    return fcntl(fd, F_OFD_SETLK, &range);
}

/* Takes the place of libc's. */
int nanosleep(const struct timespec *time, struct timespec *left) {
    (void)left;
    assert_in_range(time->tv_nsec, 1, 10000000);
    if (++waited == 3 && gate != -1)
        set_gate(gate, F_UNLCK);
    return 0;
}

struct place {
    char path[64];
    int directory;
};

static int make(void **state) {
    struct place *p = calloc(1, sizeof(*p));

    strcpy(p->path, "/tmp/myelin-test-lock-XXXXXX");
    if (!mkdtemp(p->path))
        return -1;
    p->directory = file_open_directory(p->path);
    *state = p;
    return 0;
}

static int drop(void **state) {
    struct place *p = *state;

    unlinkat(p->directory, "lock", 0);
    close(p->directory);
    rmdir(p->path);
    free(p);
    return 0;
}

static int opened(const struct place *p) {
    int fd = lock_open(p->directory, "lock");

    assert_true(fd >= 0);
    return fd;
}

static void one_number_keeps_another_out_until_it_is_given_back(void **state) {
    int mine = opened(*state), other = opened(*state);

    assert_int_equal(lock_is_taken(other, OTHER), 0);
    assert_int_equal(lock_take(mine, MINE), 0);
    assert_int_equal(lock_is_taken(mine, MINE), 0);
    assert_int_equal(lock_is_taken(other, OTHER), 1);
    assert_int_equal(lock_take(other, OTHER), -1);
    assert_int_equal(errno, EAGAIN);
    lock_release(mine);
    assert_int_equal(lock_take(other, OTHER), 0);
    assert_int_equal(lock_take(mine, MINE), -1);
    close(mine);
    close(other);
}

static void one_number_is_shared(void **state) {
    int old = opened(*state), new = opened(*state), other = opened(*state);

    assert_int_equal(lock_take(old, MINE), 0);
    assert_int_equal(lock_take(new, MINE), 0);
    lock_release(old);
    assert_int_equal(lock_take(other, OTHER), -1);
    close(new);
    assert_int_equal(lock_take(other, OTHER), 0);
    close(old);
    close(other);
}

static void the_first_and_the_last_number_are_numbers(void **state) {
    static const uint64_t numbers[] = {0, 1, INT64_MAX - 2, UINT64_MAX};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        int mine = opened(*state), other = opened(*state);

        assert_int_equal(lock_take(mine, numbers[i]), 0);
        assert_int_equal(lock_take(other, MINE), -1);
        assert_int_equal(errno, EAGAIN);
        lock_release(mine);
        assert_int_equal(lock_take(other, MINE), 0);
        assert_int_equal(lock_take(mine, numbers[i]), -1);
        close(mine);
        close(other);
    }
}

static void a_child_has_the_lock_until_it_is_killed(void **state) {
    int mine = opened(*state), other = opened(*state);
    int status;
    pid_t child;

    assert_int_equal(lock_take(mine, MINE), 0);
    child = fork();
    if (child == 0) {
        close(other);
        pause();
        _exit(0);
    }
    close(mine);
    assert_int_equal(lock_take(other, OTHER), -1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(lock_take(other, OTHER), 0);
    close(other);
}

static void who_is_at_the_gate_is_not_waited_for_for_long(void **state) {
    int mine = opened(*state), other = opened(*state);

    waited = 0;
    assert_int_equal(set_gate(other, F_WRLCK), 0);
    assert_int_equal(lock_take(mine, MINE), -1);
    assert_int_equal(errno, EAGAIN);
    assert_in_range(waited, 5, 20);
    close(other);
    assert_int_equal(lock_take(mine, MINE), 0);
    close(mine);
}

/* Who takes a lock is there for two system calls. */
static void who_is_at_the_gate_is_waited_for(void **state) {
    int mine = opened(*state);

    waited = 0;
    gate = opened(*state);
    assert_int_equal(set_gate(gate, F_WRLCK), 0);
    assert_int_equal(lock_take(mine, MINE), 0);
    assert_int_equal(waited, 3);
    assert_int_equal(set_gate(gate, F_WRLCK), 0); /* it is not left closed */
    close(gate);
    gate = -1;
    close(mine);
}

/* Returns the descriptor that is opened next. */
static int next_descriptor(void) {
    int fd = dup(0);

    close(fd);
    return fd;
}

static void only_a_regular_file_is_a_lock(void **state) {
    struct place *p = *state;
    int before = next_descriptor();

    assert_int_equal(mkfifoat(p->directory, "lock", 0600), 0);
    assert_int_equal(lock_open(p->directory, "lock"), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(next_descriptor(), before);
    assert_int_equal(unlinkat(p->directory, "lock", 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", p->directory, "lock"), 0);
    assert_int_equal(lock_open(p->directory, "lock"), -1);
    assert_int_equal(errno, ELOOP);
}

/* Root gives the file to the directory's owner, and a lock is written to: with
 * a link there that owner could get at any file of the file system. */
static void a_link_to_another_file_is_no_lock(void **state) {
    struct place *p = *state;

    close(openat(p->directory, "other", O_CREAT | O_WRONLY, 0600));
    assert_int_equal(linkat(p->directory, "other", p->directory, "lock", 0), 0);
    assert_int_equal(lock_open(p->directory, "lock"), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(unlinkat(p->directory, "other", 0), 0);
}

static void a_lock_belongs_to_who_has_the_directory(void **state) {
    struct place *p = *state;
    struct stat status;

    if (geteuid() == 0)
        assert_int_equal(fchown(p->directory, 65534, 65534), 0);
    close(opened(p));
    assert_int_equal(fstatat(p->directory, "lock", &status, 0), 0);
    assert_int_equal(status.st_uid, geteuid() == 0 ? 65534 : geteuid());
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void what_is_no_open_file_cannot_be_locked(void **state) {
    (void)state;
    assert_int_equal(lock_take(-1, MINE), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(lock_is_taken(-1, MINE), -1);
    assert_int_equal(errno, EBADF);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        T(one_number_keeps_another_out_until_it_is_given_back),
        T(one_number_is_shared),
        T(the_first_and_the_last_number_are_numbers),
        T(a_child_has_the_lock_until_it_is_killed),
        T(who_is_at_the_gate_is_not_waited_for_for_long),
        T(who_is_at_the_gate_is_waited_for),
        T(only_a_regular_file_is_a_lock),
        T(a_link_to_another_file_is_no_lock),
        T(a_lock_belongs_to_who_has_the_directory),
        T(what_is_no_open_file_cannot_be_locked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
