/* test_channel.c - tests of csrc/haproxy/channel.c
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "csrc/haproxy/channel.h"

#include "tests/fake/fake_haproxy.c"

static int open_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static struct channel *make(void) {
    struct error err = {.text = ""};
    struct channel *c = channel_new(&err);

    assert_non_null(c);
    assert_string_equal(err.text, "");
    return c;
}

static void assert_connected(int one, int other) {
    char byte = 0;

    assert_int_equal(write(one, "a", 1), 1);
    assert_int_equal(read(other, &byte, 1), 1);
    assert_int_equal(byte, 'a');
}

static void closes_all_descriptors_that_it_made(void **state) {
    int before = open_descriptors();

    (void)state;
    channel_free(make());
    channel_free(NULL);
    assert_int_equal(open_descriptors(), before);
}

static void accepts_the_descriptor_that_haproxy_sent(void **state) {
    struct channel *c = make();
    int theirs = fake_haproxy_connect(channel_fd(c));
    int ours = channel_accept(c);

    (void)state;
    assert_true(ours >= 0);
    assert_connected(ours, theirs);
    assert_true(fcntl(ours, F_GETFD) & FD_CLOEXEC);
    close(ours);
    close(theirs);
    channel_free(c);
}

/* HAProxy sends two bytes with a descriptor; the second one was left unread and
 * the next connection refused, so that a wake channel that had been closed
 * could not be made again. */
static void accepts_one_connection_after_another(void **state) {
    struct channel *c = make();

    (void)state;
    for (int i = 0; i < 3; i++) {
        int theirs = fake_haproxy_connect(channel_fd(c));
        int ours = channel_accept(c);

        assert_true(ours >= 0);
        assert_connected(ours, theirs);
        close(ours);
        close(theirs);
    }
    channel_free(c);
}

static void does_not_wait_for_a_connection(void **state) {
    struct channel *c = make();

    (void)state;
    assert_int_equal(channel_accept(c), -1);
    assert_int_equal(errno, EAGAIN);
    channel_free(c);
}

static void refuses_a_message_without_a_descriptor(void **state) {
    struct channel *c = make();

    (void)state;
    assert_int_equal(write(channel_fd(c), "x", 1), 1);
    assert_int_equal(channel_accept(c), -1);
    assert_int_equal(errno, EPROTO);
    channel_free(c);
}

static void connects_to_the_listener(void **state) {
    struct channel *c = make();
    int ours = channel_connect(c);
    int theirs = fake_haproxy_accept(channel_fd(c));

    (void)state;
    assert_true(ours >= 0);
    assert_true(theirs >= 0);
    assert_connected(ours, theirs);
    assert_connected(theirs, ours);
    assert_true(fcntl(ours, F_GETFD) & FD_CLOEXEC);
    close(ours);
    close(theirs);
    channel_free(c);
}

static void keeps_no_copy_of_the_end_that_it_sent(void **state) {
    struct channel *c = make();
    int ours = channel_connect(c);
    int theirs = fake_haproxy_accept(channel_fd(c));
    char byte;

    (void)state;
    close(theirs);
    assert_int_equal(read(ours, &byte, 1), 0);
    close(ours);
    channel_free(c);
}

static void gives_up_on_a_listener_that_takes_nothing(void **state) {
    struct channel *c = make();
    int before = open_descriptors();
    int fds[4096];
    int made = 0;

    (void)state;
    while (made < 4096 && (fds[made] = channel_connect(c)) != -1)
        made++;
    assert_in_range(made, 1, 4095);
    assert_true(errno == EAGAIN || errno == ETOOMANYREFS || errno == EMFILE);
    while (made > 0)
        close(fds[--made]);
    assert_int_equal(open_descriptors(), before);
    channel_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closes_all_descriptors_that_it_made),
        cmocka_unit_test(accepts_the_descriptor_that_haproxy_sent),
        cmocka_unit_test(accepts_one_connection_after_another),
        cmocka_unit_test(does_not_wait_for_a_connection),
        cmocka_unit_test(refuses_a_message_without_a_descriptor),
        cmocka_unit_test(connects_to_the_listener),
        cmocka_unit_test(keeps_no_copy_of_the_end_that_it_sent),
        cmocka_unit_test(gives_up_on_a_listener_that_takes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
