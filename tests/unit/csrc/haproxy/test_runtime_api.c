/* test_runtime_api.c - tests of csrc/haproxy/runtime_api.c, with a listener of
 * our own
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "csrc/haproxy/channel.h"
#include "csrc/haproxy/runtime_api.h"

#include "tests/fake/fake_haproxy.c"

#define PATIENCE_MS 60000

struct parts {
    struct queue *queue;
    struct worker *worker;
    struct channel *channel;
};

static int make(void **state) {
    struct parts *p = calloc(1, sizeof(*p));

    p->queue = queue_new(10);
    p->worker = worker_new();
    p->channel = channel_new(NULL);
    *state = p;
    return 0;
}

static int unmake(void **state) {
    struct parts *p = *state;

    worker_free(p->worker);
    channel_free(p->channel);
    queue_free(p->queue);
    free(p);
    return 0;
}

/* Accepts a connection and reads a line of it into <line>. */
static int accept_line(struct parts *p, char *line, size_t size) {
    int fd = fake_haproxy_accept(channel_fd(p->channel));
    size_t length = 0;

    while (length + 1 < size && read(fd, line + length, 1) == 1)
        if (line[length++] == '\n')
            break;
    line[length] = '\0';
    return fd;
}

static struct event *wait_for_answer(struct parts *p) {
    struct event *ev;

    assert_true(queue_wait(p->queue, PATIENCE_MS));
    ev = queue_pop(p->queue);
    assert_int_equal(ev->type, EVENT_ANSWER);
    return ev;
}

static void sends_one_line_and_returns_all_that_came(void **state) {
    struct parts *p = *state;
    struct event *ev;
    char line[64];
    int fd;

    assert_int_equal(command_send(p->worker, p->queue, p->channel,
                                  "show info; show stat", 7, PATIENCE_MS),
                     0);
    fd = accept_line(p, line, sizeof(line));
    assert_string_equal(line, "show info; show stat\n");
    assert_int_equal(write(fd, "one\n", 4), 4);
    assert_int_equal(write(fd, "two\n", 4), 4);
    close(fd);
    ev = wait_for_answer(p);
    assert_int_equal(ev->code, 0);
    assert_int_equal(ev->request, 7);
    assert_int_equal(ev->length, 8);
    assert_string_equal(ev->data, "one\ntwo\n");
    event_free(ev);
}

static void returns_an_answer_of_a_megabyte(void **state) {
    static char block[64 * 1024];
    struct parts *p = *state;
    struct event *ev;
    char line[64];
    int fd;

    memset(block, 'x', sizeof(block));
    command_send(p->worker, p->queue, p->channel, "show servers state", 1,
                 PATIENCE_MS);
    fd = accept_line(p, line, sizeof(line));
    for (int i = 0; i < 16; i++)
        assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
    close(fd);
    ev = wait_for_answer(p);
    assert_int_equal(ev->code, 0);
    assert_int_equal(ev->length, 16 * sizeof(block));
    assert_int_equal(strlen(ev->data), ev->length);
    event_free(ev);
}

static void answers_with_nothing_when_nothing_came(void **state) {
    struct parts *p = *state;
    struct event *ev;
    char line[64];

    command_send(p->worker, p->queue, p->channel, "set weight", 1, PATIENCE_MS);
    close(accept_line(p, line, sizeof(line)));
    ev = wait_for_answer(p);
    assert_int_equal(ev->code, 0);
    assert_int_equal(ev->length, 0);
    assert_string_equal(ev->data, "");
    event_free(ev);
}

static void ends_at_its_deadline_with_what_came_so_far(void **state) {
    struct parts *p = *state;
    struct event *ev;
    char line[64];
    int fd;

    command_send(p->worker, p->queue, p->channel, "show stat", 1, 50);
    fd = accept_line(p, line, sizeof(line));
    assert_int_equal(write(fd, "part", 4), 4);
    ev = wait_for_answer(p);
    assert_int_equal(ev->code, ETIMEDOUT);
    assert_string_equal(ev->data, "part");
    event_free(ev);
    close(fd);
}

/* The room for an answer was made, and left as malloc() gave it, before
 * anything had come. */
static void ends_at_its_deadline_with_an_empty_text(void **state) {
    struct parts *p = *state;
    struct event *ev;

    free(memset(malloc(4096), 'x', 4096));
    command_send(p->worker, p->queue, p->channel, "show stat", 1, 20);
    ev = wait_for_answer(p);
    assert_int_equal(ev->code, ETIMEDOUT);
    assert_int_equal(ev->length, 0);
    assert_true(!ev->data || ev->data[0] == '\0');
    event_free(ev);
}

/* A send() that blocks would have no deadline. */
static void refuses_a_line_that_no_socket_takes_at_once(void **state) {
    struct parts *p = *state;
    char *line = malloc(4 << 20), block[4096];
    struct event *ev;
    ssize_t count;
    int fd;

    memset(line, 'x', 4 << 20);
    line[(4 << 20) - 1] = '\0';
    command_send(p->worker, p->queue, p->channel, line, 1, PATIENCE_MS);
    ev = wait_for_answer(p);
    assert_int_equal(ev->code, EMSGSIZE);
    event_free(ev);
    /* Nor does the connection stay open. */
    fd = fake_haproxy_accept(channel_fd(p->channel));
    do
        count = read(fd, block, sizeof(block));
    while (count > 0);
    assert_int_equal(count, 0);
    close(fd);
    free(line);
}

static void sends_one_command_after_the_other(void **state) {
    struct parts *p = *state;
    char line[64];

    command_send(p->worker, p->queue, p->channel, "one", 1, PATIENCE_MS);
    command_send(p->worker, p->queue, p->channel, "two", 2, PATIENCE_MS);
    for (uint64_t i = 1; i <= 2; i++) {
        int fd = accept_line(p, line, sizeof(line));
        struct event *ev;

        assert_string_equal(line, i == 1 ? "one\n" : "two\n");
        close(fd);
        ev = wait_for_answer(p);
        assert_int_equal(ev->request, i);
        event_free(ev);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            sends_one_line_and_returns_all_that_came, make, unmake),
        cmocka_unit_test_setup_teardown(returns_an_answer_of_a_megabyte, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(answers_with_nothing_when_nothing_came,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(
            ends_at_its_deadline_with_what_came_so_far, make, unmake),
        cmocka_unit_test_setup_teardown(ends_at_its_deadline_with_an_empty_text,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(
            refuses_a_line_that_no_socket_takes_at_once, make, unmake),
        cmocka_unit_test_setup_teardown(sends_one_command_after_the_other, make,
                                        unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
