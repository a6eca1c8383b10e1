/* test_socket.c - tests of nerve/operator/socket.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "nerve/operator/socket.h"

/* A directory service may hang for minutes. Four `nerve ctl status` took all
 * threads of libuv then: no check that needed one ended, and nerve took no
 * reload. */
struct passwd *getpwuid(uid_t uid) {
    (void)uid;
    fail_msg("the directory service is asked");
    return NULL;
}

int getpwuid_r(uid_t uid, struct passwd *user, char *buffer, size_t size,
               struct passwd **found) {
    (void)uid;
    (void)user;
    (void)buffer;
    (void)size;
    (void)found;
    fail_msg("the directory service is asked");
    return EIO;
}

static char directory[] = "/tmp/nerve-socket-XXXXXX";
static char path[60], lock[70];
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
    snprintf(path, sizeof(path), "%s/socket", directory);
    snprintf(lock, sizeof(lock), "%s.lock", path);
    free_fd = lowest_free_fd();
    return 0;
}

/* Whatever happened, no descriptor is left. */
static int end(void **state) {
    (void)state;
    assert_int_equal(lowest_free_fd(), free_fd);
    unlink(path);
    unlink(lock);
    return rmdir(directory);
}

static void open_it(struct control_socket *s) {
    struct error err = {0};

    assert_int_equal(control_socket_open(s, path, &err), 0);
    assert_string_equal(err.text, "");
    assert_int_equal(listen(s->fd, 1), 0);
}

static void close_it(const struct control_socket *s) {
    close(s->fd);
    close(s->lock);
}

static void assert_refused(const char *where, const char *why) {
    struct error err = {0};
    struct control_socket s;
    char wanted[300];

    snprintf(wanted, sizeof(wanted), "control_socket: %s: %s", where, why);
    assert_int_equal(control_socket_open(&s, where, &err), -1);
    assert_string_equal(err.text, wanted);
}

static void is_for_its_user_and_group_whatever_the_umask_is(void **state) {
    static const mode_t masks[] = {0, 0777};
    struct control_socket s;
    struct stat about;

    (void)state;
    for (int i = 0; i < 2; i++) {
        mode_t before = umask(masks[i]);

        open_it(&s);
        umask(before);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 07777, 0660);
        assert_int_equal(fcntl(s.fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(s.lock, F_GETFD), FD_CLOEXEC);
        close_it(&s);
        unlink(path);
        unlink(lock);
    }
}

static void takes_the_place_of_one_that_a_dead_nerve_left(void **state) {
    struct control_socket s;
    int fd;

    (void)state;
    open_it(&s);
    close_it(&s);
    open_it(&s);
    fd = control_socket_connect(path, NULL);
    assert_true(fd >= 0);
    close(fd);
    close_it(&s);
}

/* A lock keeps out other processes only. */
static void says_which_nerve_has_it(void **state) {
    struct control_socket s;
    char why[120];
    int status;
    pid_t pid;

    (void)state;
    open_it(&s);
    snprintf(why, sizeof(why),
             "another nerve (pid %d) listens there; stop it, or give this one "
             "another path",
             (int)getpid());
    pid = fork();
    if (pid == 0) {
        struct error err = {0};
        struct control_socket other;

        _exit(control_socket_open(&other, path, &err) == -1 &&
                      strstr(err.text, why)
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close_it(&s);
}

static void leaves_another_program_its_socket(void **state) {
    struct control_socket s;

    (void)state;
    open_it(&s);
    close(s.lock);
    assert_refused(path, "another program listens there");
    assert_int_equal(access(path, F_OK), 0);
    close(s.fd);
}

static void leaves_a_file_that_is_no_socket(void **state) {
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    (void)state;
    close(fd);
    assert_refused(path, "is there, and is no socket");
    assert_int_equal(access(path, F_OK), 0);
}

static void says_where_it_cannot_be(void **state) {
    char nowhere[100], why[200];
    struct error err = {0};
    struct control_socket s;

    (void)state;
    snprintf(nowhere, sizeof(nowhere), "%s/no/socket", directory);
    snprintf(why, sizeof(why),
             "control_socket: %s.lock: No such file or "
             "directory",
             nowhere);
    assert_int_equal(control_socket_open(&s, nowhere, &err), -1);
    assert_string_equal(err.text, why);
}

/* Somebody else could have made the link. */
static void follows_no_link_to_lock(void **state) {
    struct error err = {0};
    struct control_socket s;

    (void)state;
    assert_int_equal(symlink("/dev/null", lock), 0);
    assert_int_equal(control_socket_open(&s, path, &err), -1);
    assert_non_null(strstr(err.text, "socket.lock: "));
}

static void knows_who_is_connected(void **state) {
    int ends[2];
    uid_t uid = (uid_t)-1;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(control_socket_peer(ends[0], &uid), 0);
    assert_int_equal(uid, getuid());
    assert_int_equal(control_socket_peer(-1, &uid), -1);
    close(ends[0]);
    close(ends[1]);
}

static void names_users_without_the_directory_service(void **state) {
    char name[64];

    (void)state;
    control_socket_user(0, name, sizeof(name));
    assert_string_equal(name, "root");
    control_socket_user(4200000000, name, sizeof(name));
    assert_string_equal(name, "uid 4200000000");
}

static void assert_unreachable(const char *where, const char *why) {
    struct error err = {0};
    char wanted[300];

    snprintf(wanted, sizeof(wanted), "%s: %s", where, why);
    assert_int_equal(control_socket_connect(where, &err), -1);
    assert_string_equal(err.text, wanted);
}

static void a_client_is_told_that_nobody_listens(void **state) {
    struct control_socket s;
    char at[130];

    (void)state;
    assert_unreachable(path,
                       "No such file or directory; no nerve listens there");
    open_it(&s);
    close_it(&s);
    assert_unreachable(path, "Connection refused; no nerve listens there");
    snprintf(at, sizeof(at), "/%0110d", 0);
    assert_unreachable(at, "longer than 107 bytes");
    at[107] = '\0';
    assert_unreachable(at, "No such file or directory; no nerve listens there");
    snprintf(at, sizeof(at), "/dev/null/socket");
    assert_unreachable(at, "Not a directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(is_for_its_user_and_group_whatever_the_umask_is),
        TEST(takes_the_place_of_one_that_a_dead_nerve_left),
        TEST(says_which_nerve_has_it),
        TEST(leaves_another_program_its_socket),
        TEST(leaves_a_file_that_is_no_socket),
        TEST(says_where_it_cannot_be),
        TEST(follows_no_link_to_lock),
        TEST(knows_who_is_connected),
        TEST(names_users_without_the_directory_service),
        TEST(a_client_is_told_that_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
