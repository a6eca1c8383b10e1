/* test_memory.c - the n-th allocation fails, for each n
 *
 * The linker puts the functions below in the place of malloc() and its
 * relatives, for all but the C library itself (see the Makefile). Whatever
 * fails, nothing leaks, nothing is freed twice, and what was there before
 * goes on.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "csrc/base/event.h"
#include "csrc/base/file.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "csrc/haproxy/channel.h"
#include "csrc/haproxy/runtime_api.h"
#include "csrc/zookeeper/credentials.h"
#include "csrc/zookeeper/hosts.h"
#include "csrc/zookeeper/session.h"

#include "tests/fake/fake_clock.c"
#include "tests/fake/fake_handle.c"

/* Allocations of this thread before the one that fails; below 0: none does. */
static _Thread_local int left = -1;
static _Thread_local bool exhausted; /* all of this thread's fail */

static bool fails(void) {
    if (!exhausted && (left < 0 || left-- > 0))
        return false;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text) {
    return fails() ? NULL : __real_strdup(text);
}

/* Runs <attempt> with the first allocation failing, then with the second, and
 * so on until it meets no failure. Returns how many failed. */
static int with_each_failing(bool (*attempt)(void)) {
    int failed = 0;

    for (;; failed++) {
        bool worked;
        bool met;

        left = failed;
        worked = attempt();
        met = left < 0;
        left = -1;
        if (met == worked)
            fail_msg("allocation %d: %s", failed,
                     met ? "its failure was not told" : "failed without one");
        if (!met)
            return failed;
    }
}

static bool make_a_request(void) {
    struct request *r = request_new(OP_CREATE, 1, "/a", "data", 4);

    request_free(r);
    return r;
}

static bool make_a_queue(void) {
    struct queue *q = queue_new(10);

    queue_free(q);
    return q;
}

static bool add_credentials(void) {
    struct credentials *list = NULL;
    struct credentials *added =
        credentials_add(&list, "digest", "me:secret", 9);

    assert_ptr_equal(added, list);
    credentials_free(list);
    return added;
}

static bool resolve_hosts(void) {
    struct error err = {.text = ""};
    char *hosts = hosts_resolve("10.0.0.1:2181/chroot", &err);

    if (hosts)
        assert_string_equal(hosts, "10.0.0.1:2181/chroot");
    else
        assert_non_null(strstr(err.text, "out of memory"));
    free(hosts);
    return hosts;
}

static void fails_as_a_whole_and_leaks_nothing(void **state) {
    (void)state;
    assert_in_range(with_each_failing(make_a_request), 6, 20);
    assert_in_range(with_each_failing(make_a_queue), 2, 20);
    assert_int_equal(with_each_failing(add_credentials), 3);
    assert_in_range(with_each_failing(resolve_hosts), 3, 20);
}

static struct queue *queue;
static struct session *s;

static bool open_a_session(void) {
    struct session_options options = {.hosts = "10.0.0.1:2181"};
    struct error err = {.text = ""};

    fake_handle_reset();
    s = session_open(queue, NULL, &options, &err);
    if (!s)
        assert_string_equal(err.text, "10.0.0.1:2181: out of memory");
    session_close(s);
    return s;
}

static void opens_no_session_without_memory_and_says_so(void **state) {
    (void)state;
    queue = queue_new(10);
    assert_int_equal(with_each_failing(open_a_session), 2);
    queue_free(queue);
}

/* Pops and absorbs everything; returns how many replies were news. */
static int replies(void) {
    struct event *ev;
    int count = 0;

    while ((ev = queue_pop(queue))) {
        if (ev->session == session_number(s) && session_absorb(s, ev) &&
            ev->type == EVENT_REPLY)
            count++;
        event_free(ev);
    }
    return count;
}

static void open_connected(void) {
    struct session_options options = {.hosts = "10.0.0.1:2181"};

    fake_handle_reset();
    queue = queue_new(1000);
    s = session_open(queue, NULL, &options, NULL);
    assert_non_null(s);
    fake_connect(fake_handle());
    replies();
}

static bool ask(void) {
    int64_t number = session_create(s, "/a", "data", 4, CREATE_EPHEMERAL);

    if (number < 0)
        assert_int_equal(number, SESSION_NO_MEMORY);
    return number > 0;
}

static bool authenticate(void) {
    return session_add_auth(s, "digest", "me:secret", 9) >= 0;
}

static void refuses_a_request_without_memory_and_goes_on(void **state) {
    (void)state;
    open_connected();
    assert_in_range(with_each_failing(ask), 6, 20);
    assert_in_range(with_each_failing(authenticate), 6, 20);
    fake_die(fake_handle(), SESSION_EXPIRED);
    assert_int_equal(replies(), 2);
    fake_connect(fake_handle());
    replies();
    assert_int_equal(session_state(s), SESSION_CONNECTED);
    session_close(s);
    queue_free(queue);
}

/* What has been sent can be answered without any memory. */
static void answers_what_is_in_flight_without_memory(void **state) {
    int asked = 0;

    (void)state;
    open_connected();
    for (; asked < 100; asked++)
        assert_true(session_get(s, "/a", false) > 0);
    fake_die(fake_handle(), SESSION_EXPIRED);
    exhausted = true;
    assert_int_equal(replies(), asked);
    exhausted = false;
    session_close(s);
    queue_free(queue);
}

static struct event *pop(void) {
    struct event *ev = queue_pop(queue);

    assert_non_null(ev);
    return ev;
}

/* The spare event could not be made again, and every later overflow went
 * untold: watches were lost for good. */
static void tells_of_an_overflow_after_one_without_memory(void **state) {
    (void)state;
    queue = queue_new(10);
    for (int round = 0; round < 3; round++) {
        struct event *ev;

        queue_push(queue, NULL);
        exhausted = true;
        ev = pop();
        assert_null(queue_pop(queue));
        queue_push(queue, NULL);
        exhausted = false;
        assert_int_equal(ev->type, EVENT_OVERFLOW);
        event_free(ev);
        ev = pop();
        assert_int_equal(ev->type, EVENT_OVERFLOW);
        event_free(ev);
        assert_null(queue_pop(queue));
    }
    queue_free(queue);
}

static struct worker *worker;
static int directory;

static bool write_a_file(void) {
    int rc = file_write(worker, queue, directory, "file", "data", 4, 0600, 1);

    if (rc != 0) {
        assert_int_equal(errno, ENOMEM);
        return false;
    }
    assert_true(queue_wait(queue, 60000));
    event_free(pop());
    return true;
}

static void writes_no_file_without_memory(void **state) {
    char path[] = "/tmp/myelin-test-memory-XXXXXX";

    (void)state;
    queue = queue_new(10);
    worker = worker_new();
    assert_non_null(mkdtemp(path));
    directory = file_open_directory(path);
    assert_in_range(with_each_failing(write_a_file), 5, 20);
    worker_free(worker);
    unlinkat(directory, "file", 0);
    close(directory);
    rmdir(path);
    queue_free(queue);
}

static struct channel *channel;
static struct commander *commander;

static bool make_a_commander(void) {
    commander = commander_new(queue, channel);
    return commander != NULL;
}

static bool send_a_command(void) {
    int rc = commander_send(commander, "show info", 1, 0);

    if (rc != 0)
        assert_int_equal(errno, ENOMEM);
    return rc == 0;
}

static void sends_no_command_without_memory(void **state) {
    (void)state;
    queue = queue_new(10);
    channel = channel_new(NULL);
    assert_in_range(with_each_failing(make_a_commander), 2, 20);
    assert_in_range(with_each_failing(send_a_command), 3, 20);
    commander_free(commander);
    channel_free(channel);
    queue_free(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fails_as_a_whole_and_leaks_nothing),
        cmocka_unit_test(opens_no_session_without_memory_and_says_so),
        cmocka_unit_test(refuses_a_request_without_memory_and_goes_on),
        cmocka_unit_test(answers_what_is_in_flight_without_memory),
        cmocka_unit_test(tells_of_an_overflow_after_one_without_memory),
        cmocka_unit_test(writes_no_file_without_memory),
        cmocka_unit_test(sends_no_command_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
