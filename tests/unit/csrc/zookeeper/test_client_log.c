/* test_client_log.c - tests of csrc/zookeeper/client_log.c, on a clock of our
 * own SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "csrc/zookeeper/client_log.h"

#include "tests/fake/fake_clock.c"

#define LINE(level, text)                                                      \
    "2026-01-02 03:04:05,678:1(0x7f):" level "@check_events@2450: " text

static struct queue *queue;

static int make(void **state) {
    (void)state;
    queue = queue_new(1000);
    log_lines_to(queue);
    fake_clock_pass_ms(60000);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    log_lines_to(NULL);
    queue_free(queue);
    return 0;
}

static void assert_says(enum event_level level, const char *text) {
    struct event *ev = queue_pop(queue);

    assert_non_null(ev);
    assert_int_equal(ev->type, EVENT_LOG);
    assert_int_equal(ev->level, level);
    assert_int_equal(ev->has_cause, strstr(text, "; likely ") != NULL);
    assert_string_equal(ev->data, text);
    assert_int_equal(ev->length, strlen(text));
    event_free(ev);
}

static int lines(void) {
    struct event *ev;
    int count = 0;

    for (; (ev = queue_pop(queue)); count++)
        event_free(ev);
    return count;
}

static void takes_level_and_text_out_of_a_line(void **state) {
    (void)state;
    log_lines_take(LINE("ZOO_ERROR", "one: two"));
    log_lines_take(LINE("ZOO_WARN", "slow"));
    log_lines_take(LINE("ZOO_INFO", "hello"));
    log_lines_take(LINE("ZOO_DEBUG", "detail"));
    assert_says(LEVEL_ERROR, "one: two");
    assert_says(LEVEL_WARNING, "slow");
    assert_says(LEVEL_INFO, "hello");
    assert_says(LEVEL_DEBUG, "detail");
}

static void passes_a_line_of_another_form_as_it_is(void **state) {
    (void)state;
    log_lines_take("something else");
    assert_says(LEVEL_DEBUG, "something else");
}

static void drops_lines_while_nobody_takes_them(void **state) {
    (void)state;
    log_lines_to(NULL);
    log_lines_take(LINE("ZOO_WARN", "unseen"));
    log_lines_to(queue);
    assert_int_equal(lines(), 0);
}

static void lets_a_burst_through_and_then_two_a_second(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++)
        log_lines_take(LINE("ZOO_WARN", "again"));
    assert_int_equal(lines(), 20);
    for (int second = 0; second < 10; second++) {
        fake_clock_pass_ms(1000);
        for (int i = 0; i < 6; i++)
            log_lines_take(LINE("ZOO_WARN", "again"));
        assert_int_equal(lines(), 2);
    }
}

/* Returns how many lines were dropped before the next one. */
static size_t dropped_before(void) {
    struct event *ev = queue_pop(queue);
    size_t count = ev->count;

    assert_string_equal(ev->data, "again");
    event_free(ev);
    return count;
}

/* The number was a part of the text, and two readers cut it off again. */
static void tells_how_many_lines_it_dropped(void **state) {
    (void)state;
    for (int i = 0; i < 27; i++)
        log_lines_take(LINE("ZOO_WARN", "again"));
    lines();
    fake_clock_pass_ms(60000);
    log_lines_take(LINE("ZOO_WARN", "again"));
    log_lines_take(LINE("ZOO_WARN", "again"));
    assert_int_equal(dropped_before(), 7);
    assert_int_equal(dropped_before(), 0);
}

#define HANG_UP                                                                \
    "errno=112(Host is down): failed while receiving a server response"
#define CAUSE                                                                  \
    "; likely too many connections from this address (maxClientCnxns), or a "  \
    "server without a quorum"

static void names_the_likely_cause_of_connections_that_are_ended(void **state) {
    (void)state;
    log_lines_take(LINE("ZOO_WARN", HANG_UP));
    log_lines_take(LINE("ZOO_WARN", HANG_UP));
    log_lines_take(LINE("ZOO_WARN", HANG_UP));
    assert_says(LEVEL_WARNING, HANG_UP);
    assert_says(LEVEL_WARNING, HANG_UP);
    assert_says(LEVEL_WARNING, HANG_UP CAUSE);
}

static void takes_no_stopped_server_for_a_full_one(void **state) {
    const char *refused = "errno=111(Connection refused): server refused to "
                          "accept the client";

    (void)state;
    for (int i = 0; i < 5; i++) {
        log_lines_take(LINE("ZOO_WARN", HANG_UP));
        log_lines_take(LINE("ZOO_ERROR", "errno=111(Connection refused): "
                                         "server refused to accept the "
                                         "client"));
        assert_says(LEVEL_WARNING, HANG_UP);
        assert_says(LEVEL_ERROR, refused);
        fake_clock_pass_ms(10000);
    }
}

/* The first words about a server that is down were "zk retcode=-4,
 * errno=111". */
static void says_it_without_the_librarys_numbers(void **state) {
    (void)state;
    log_lines_take(LINE("ZOO_ERROR",
                        "Socket 127.0.0.1:1 zk retcode=-4, "
                        "errno=111(Connection refused): server refused to "
                        "accept the client"));
    assert_says(LEVEL_ERROR, "127.0.0.1:1: server refused to accept the "
                             "client (Connection refused)");
    log_lines_take(LINE("ZOO_WARN", "Socket 7 zk is odd"));
    assert_says(LEVEL_WARNING, "Socket 7 zk is odd");
}

/* A client that is closed used to silence the others of its process. */
static void stops_for_the_queue_that_takes_the_lines_only(void **state) {
    struct queue *other = queue_new(10);

    (void)state;
    log_lines_stop(other);
    log_lines_take(LINE("ZOO_WARN", "still here"));
    assert_says(LEVEL_WARNING, "still here");
    log_lines_stop(queue);
    log_lines_take(LINE("ZOO_WARN", "unseen"));
    assert_int_equal(lines(), 0);
    queue_free(other);
}

static atomic_bool enough;

static void take_lines(void *data) {
    while (!atomic_load((atomic_bool *)data))
        log_lines_take(LINE("ZOO_WARN", "again"));
}

static void ignore(void *data) { (void)data; }

/* The handles of one client go on logging while another one is closed. */
static void lets_go_of_a_queue_that_is_freed_next(void **state) {
    struct worker *w = worker_new();

    (void)state;
    atomic_store(&enough, false);
    assert_int_equal(worker_run(w, take_lines, ignore, &enough), 0);
    for (int i = 0; i < 2000; i++) {
        struct queue *other = queue_new(1000);

        fake_clock_pass_ms(10000);
        log_lines_to(other);
        log_lines_stop(other);
        queue_free(other);
    }
    atomic_store(&enough, true);
    worker_free(w);
}

#define WITH_QUEUE(test) cmocka_unit_test_setup_teardown(test, make, unmake)

/* The log guessed at maxClientCnxns where the server had said what it wants. */
static void guesses_no_cause_that_a_server_has_told(void **state) {
    (void)state;
    fake_clock_pass_ms(60000);
    /* What the tests before dropped is told by this line. */
    log_lines_take(LINE("ZOO_INFO", "a line"));
    lines();
    for (int i = 0; i < 3; i++) {
        log_lines_explain();
        log_lines_take(
            LINE("ZOO_WARN", "failed while receiving a server response"));
        assert_says(LEVEL_WARNING, "failed while receiving a server response");
    }
}

/* The servers of other handles may be the first part of these. */
static void counts_how_often_all_servers_were_tried(void **state) {
    unsigned int mine = log_lines_rounds("10.0.0.1:2181,::1:2181");
    unsigned int others = log_lines_rounds("10.0.0.1:2181");

    (void)state;
    log_lines_take(LINE("ZOO_WARN", "Delaying connection after exhaustively "
                                    "trying all servers "
                                    "[10.0.0.1:2181,::1:2181]"));
    log_lines_take(LINE("ZOO_WARN", "Delaying connection after exhaustively "
                                    "trying all servers [cut off"));
    log_lines_take(LINE("ZOO_WARN", "[10.0.0.1:2181,::1:2181]"));
    assert_int_equal(log_lines_rounds("10.0.0.1:2181,::1:2181") - mine, 1);
    assert_int_equal(log_lines_rounds("10.0.0.1:2181") - others, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_QUEUE(takes_level_and_text_out_of_a_line),
        WITH_QUEUE(passes_a_line_of_another_form_as_it_is),
        WITH_QUEUE(drops_lines_while_nobody_takes_them),
        WITH_QUEUE(lets_a_burst_through_and_then_two_a_second),
        WITH_QUEUE(tells_how_many_lines_it_dropped),
        WITH_QUEUE(names_the_likely_cause_of_connections_that_are_ended),
        WITH_QUEUE(takes_no_stopped_server_for_a_full_one),
        WITH_QUEUE(says_it_without_the_librarys_numbers),
        WITH_QUEUE(stops_for_the_queue_that_takes_the_lines_only),
        WITH_QUEUE(lets_go_of_a_queue_that_is_freed_next),
        WITH_QUEUE(guesses_no_cause_that_a_server_has_told),
        WITH_QUEUE(counts_how_often_all_servers_were_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
