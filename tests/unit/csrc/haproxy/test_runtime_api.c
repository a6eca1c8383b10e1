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
#include "csrc/haproxy/channel.h"
#include "csrc/haproxy/runtime_api.h"

#include "tests/fake/fake_haproxy.c"

#define PATIENCE_MS 60000

struct parts {
    struct queue *queue;
    struct channel *channel;
    struct commander *commander;
};

static int make(void **state) {
    struct parts *p = calloc(1, sizeof(*p));

    p->queue = queue_new(20);
    p->channel = channel_new(NULL);
    p->commander = commander_new(p->queue, p->channel);
    *state = p;
    return 0;
}

static int unmake(void **state) {
    struct parts *p = *state;

    commander_free(p->commander);
    channel_free(p->channel);
    queue_free(p->queue);
    free(p);
    return 0;
}

static void send_line(struct parts *p, const char *text, uint32_t request) {
    assert_int_equal(commander_send(p->commander, text, request, PATIENCE_MS),
                     0);
}

static void read_line(int fd, char *line, size_t size) {
    size_t length = 0;

    while (length + 1 < size && read(fd, line + length, 1) == 1)
        if (line[length++] == '\n')
            break;
    line[length] = '\0';
}

static void expect_line(int fd, const char *text) {
    char line[64];

    read_line(fd, line, sizeof(line));
    assert_string_equal(line, text);
}

static void say(int fd, const char *text) {
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Accepts a connection and answers the greeting. */
static int accept_and_say(struct parts *p, const char *greeting) {
    int fd = fake_haproxy_accept(channel_fd(p->channel));

    assert_int_not_equal(fd, -1);
    expect_line(fd, "prompt;set timeout cli 20d\n");
    say(fd, greeting);
    return fd;
}

static int accept_as_2_6(struct parts *p) {
    return accept_and_say(p, "\n> \n> ");
}

static int accept_as_3_4(struct parts *p) {
    return accept_and_say(p, "\n\n> ");
}

static struct event *wait_for_answer(struct parts *p) {
    struct event *ev;

    assert_true(queue_wait(p->queue, PATIENCE_MS));
    ev = queue_pop(p->queue);
    assert_int_equal(ev->type, EVENT_ANSWER);
    return ev;
}

static void expect_answer(struct parts *p, uint64_t request, const char *text) {
    struct event *ev = wait_for_answer(p);

    assert_int_equal(ev->code, 0);
    assert_int_equal(ev->request, request);
    assert_string_equal(ev->data, text);
    assert_int_equal(ev->length, strlen(text));
    event_free(ev);
}

static void expect_failure(struct parts *p, int code) {
    struct event *ev = wait_for_answer(p);

    assert_int_equal(ev->code, code);
    event_free(ev);
}

/* As if HAProxy had closed the connection: an empty line after each answer. */
static void takes_the_prompts_of_2_6_out(void **state) {
    struct parts *p = *state;
    int fd;

    send_line(p, "show info;set weight;show stat", 7);
    fd = accept_as_2_6(p);
    expect_line(fd, "show info;set weight;show stat\n");
    say(fd, "one\n");
    say(fd, "more\n\n> \n");
    say(fd, "> two\n\n> ");
    expect_answer(p, 7, "one\nmore\n\n\ntwo\n\n");
    close(fd);
}

/* Only the last answer ends with a prompt. */
static void takes_the_prompt_of_3_4_out(void **state) {
    struct parts *p = *state;
    int fd;

    send_line(p, "show info;set weight", 7);
    fd = accept_as_3_4(p);
    expect_line(fd, "show info;set weight\n");
    say(fd, "one\n\n");
    say(fd, "\n> ");
    expect_answer(p, 7, "one\n\n\n");
    close(fd);
}

static void counts_no_semicolon_of_a_word(void **state) {
    struct parts *p = *state;
    int fd;

    send_line(p, "add server a\\;b;set weight", 1);
    fd = accept_as_2_6(p);
    expect_line(fd, "add server a\\;b;set weight\n");
    say(fd, "one\n\n> ");
    say(fd, "two\n\n> ");
    expect_answer(p, 1, "one\n\ntwo\n\n");
    close(fd);
}

/* A connection for each line cost HAProxy as much as the commands. */
static void sends_all_lines_over_one_connection(void **state) {
    struct parts *p = *state;
    int fd;

    send_line(p, "one", 1);
    send_line(p, "two", 2);
    fd = accept_as_2_6(p);
    expect_line(fd, "one\n");
    say(fd, "1\n\n> ");
    expect_answer(p, 1, "1\n\n");
    expect_line(fd, "two\n");
    say(fd, "2\n\n> ");
    expect_answer(p, 2, "2\n\n");
    send_line(p, "three", 3);
    expect_line(fd, "three\n");
    say(fd, "3\n\n> ");
    expect_answer(p, 3, "3\n\n");
    close(fd);
}

static void connects_again_once_haproxy_has_hung_up(void **state) {
    struct parts *p = *state;
    int fd;

    send_line(p, "one", 1);
    fd = accept_as_2_6(p);
    expect_line(fd, "one\n");
    say(fd, "1\n\n> ");
    expect_answer(p, 1, "1\n\n");
    close(fd);
    send_line(p, "two", 2);
    fd = accept_as_3_4(p);
    expect_line(fd, "two\n");
    say(fd, "2\n\n> ");
    expect_answer(p, 2, "2\n\n");
    close(fd);
}

/* What comes after an answer would be taken for the next one. */
static void connects_again_where_haproxy_says_more(void **state) {
    struct parts *p = *state;
    int fd;

    send_line(p, "one", 1);
    fd = accept_as_3_4(p);
    expect_line(fd, "one\n");
    say(fd, "1\n\n> ");
    expect_answer(p, 1, "1\n\n");
    say(fd, "more");
    send_line(p, "two", 2);
    close(fd);
    fd = accept_as_3_4(p);
    expect_line(fd, "two\n");
    say(fd, "2\n\n> ");
    expect_answer(p, 2, "2\n\n");
    close(fd);
}

static void hangs_up(void **state) {
    struct parts *p = *state;
    char byte;
    int fd;

    commander_hang_up(p->commander);
    send_line(p, "one", 1);
    fd = accept_as_2_6(p);
    expect_line(fd, "one\n");
    commander_hang_up(p->commander);
    say(fd, "1\n\n> ");
    expect_answer(p, 1, "1\n\n");
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    send_line(p, "two", 2);
    fd = accept_as_2_6(p);
    expect_line(fd, "two\n");
    say(fd, "\n> ");
    expect_answer(p, 2, "\n");
    commander_hang_up(p->commander);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
}

static void returns_an_answer_of_a_megabyte(void **state) {
    static char block[64 * 1024];
    struct parts *p = *state;
    struct event *ev;
    int fd;

    memset(block, 'x', sizeof(block));
    send_line(p, "show servers state", 1);
    fd = accept_as_2_6(p);
    expect_line(fd, "show servers state\n");
    for (int i = 0; i < 16; i++)
        assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
    say(fd, "\n> ");
    ev = wait_for_answer(p);
    assert_int_equal(ev->code, 0);
    assert_int_equal(ev->length, 16 * sizeof(block) + 1);
    assert_int_equal(strlen(ev->data), ev->length);
    event_free(ev);
    close(fd);
}

static void fails_where_haproxy_hangs_up(void **state) {
    struct parts *p = *state;
    int fd;

    send_line(p, "set weight", 1);
    fd = accept_as_2_6(p);
    expect_line(fd, "set weight\n");
    close(fd);
    expect_failure(p, ECONNRESET);
}

static void
fails_where_the_other_side_does_not_know_the_greeting(void **state) {
    struct parts *p = *state;
    int fd;

    send_line(p, "set weight", 1);
    fd = accept_and_say(p, "\nwho?\n");
    expect_failure(p, EPROTO);
    close(fd);
}

static void ends_at_its_deadline_with_what_came_so_far(void **state) {
    struct parts *p = *state;
    struct event *ev;
    char byte;
    int fd;

    commander_send(p->commander, "show stat", 1, 50);
    fd = accept_as_2_6(p);
    expect_line(fd, "show stat\n");
    say(fd, "part");
    ev = wait_for_answer(p);
    assert_int_equal(ev->code, ETIMEDOUT);
    assert_string_equal(ev->data, "part");
    event_free(ev);
    /* The rest may come later, and nobody waits for it. */
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
}

/* The room for an answer was made, and left as malloc() gave it, before
 * anything had come. */
static void ends_at_its_deadline_with_an_empty_text(void **state) {
    struct parts *p = *state;
    struct event *ev;

    free(memset(malloc(4096), 'x', 4096));
    commander_send(p->commander, "show stat", 1, 20);
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
    ssize_t count;
    int fd;

    memset(line, 'x', 4 << 20);
    line[(4 << 20) - 1] = '\0';
    send_line(p, line, 1);
    expect_failure(p, EMSGSIZE);
    /* Nor does the connection stay open. */
    fd = fake_haproxy_accept(channel_fd(p->channel));
    do
        count = read(fd, block, sizeof(block));
    while (count > 0);
    assert_int_equal(count, 0);
    close(fd);
    free(line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_the_prompts_of_2_6_out, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(takes_the_prompt_of_3_4_out, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(counts_no_semicolon_of_a_word, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(sends_all_lines_over_one_connection,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(connects_again_once_haproxy_has_hung_up,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(connects_again_where_haproxy_says_more,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(hangs_up, make, unmake),
        cmocka_unit_test_setup_teardown(returns_an_answer_of_a_megabyte, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(fails_where_haproxy_hangs_up, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(
            fails_where_the_other_side_does_not_know_the_greeting, make,
            unmake),
        cmocka_unit_test_setup_teardown(
            ends_at_its_deadline_with_what_came_so_far, make, unmake),
        cmocka_unit_test_setup_teardown(ends_at_its_deadline_with_an_empty_text,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(
            refuses_a_line_that_no_socket_takes_at_once, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
