/* test_queue.c - tests of csrc/base/queue.c
 *
 * Included here, not linked: one test begins at the last number.
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csrc/base/queue.c"
#include "csrc/base/worker.h"

#define WRITERS 4
#define EACH    2000

static void push(struct queue *q, enum event_type type, uint64_t request) {
    struct event *ev = event_new(type);

    ev->request = request;
    queue_push(q, ev);
}

/* Pops an event and returns its type, having checked its number. */
static enum event_type pop(struct queue *q, uint64_t request) {
    struct event *ev = queue_pop(q);
    enum event_type type;

    assert_non_null(ev);
    type = ev->type;
    assert_int_equal(ev->request, request);
    event_free(ev);
    return type;
}

static void count(void *arg) { ++*(int *)arg; }

static void returns_events_in_the_order_they_were_pushed(void **state) {
    struct queue *q = queue_new(10);

    (void)state;
    for (uint64_t i = 1; i <= 5; i++)
        push(q, EVENT_REPLY, i);
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(pop(q, i), EVENT_REPLY);
    assert_null(queue_pop(q));
    queue_free(q);
}

static void frees_the_events_that_nobody_popped(void **state) {
    struct queue *q = queue_new(10);

    (void)state;
    push(q, EVENT_REPLY, 1);
    push(q, EVENT_WATCH, 2);
    queue_free(q);
    queue_free(NULL);
}

static void gives_each_number_once_and_starts_above_zero(void **state) {
    struct queue *q = queue_new(10);
    uint32_t first = queue_number(q);

    (void)state;
    assert_true(first > 0);
    assert_int_equal(queue_number(q), first + 1);
    queue_free(q);
}

/* 0 stands for "nobody waits for the reply". */
static void begins_its_numbers_again_above_zero(void **state) {
    struct queue *q = queue_new(10);

    (void)state;
    q->last_number = UINT32_MAX - 1;
    assert_int_equal(queue_number(q), UINT32_MAX);
    assert_int_equal(queue_number(q), 1);
    queue_free(q);
}

static void wakes_only_when_it_turns_from_empty_to_not_empty(void **state) {
    struct queue *q = queue_new(10);
    int woken = 0;

    (void)state;
    queue_set_wake(q, count, &woken);
    assert_int_equal(woken, 0);
    push(q, EVENT_REPLY, 1);
    push(q, EVENT_REPLY, 2);
    assert_int_equal(woken, 1);
    pop(q, 1);
    push(q, EVENT_REPLY, 3);
    assert_int_equal(woken, 1);
    pop(q, 2);
    pop(q, 3);
    push(q, EVENT_REPLY, 4);
    assert_int_equal(woken, 2);
    queue_free(q);
}

static void wakes_at_once_when_events_wait_already(void **state) {
    struct queue *q = queue_new(10);
    int woken = 0;

    (void)state;
    push(q, EVENT_REPLY, 1);
    queue_set_wake(q, count, &woken);
    assert_int_equal(woken, 1);
    queue_set_wake(q, NULL, NULL);
    pop(q, 1);
    push(q, EVENT_REPLY, 2);
    assert_int_equal(woken, 1);
    queue_free(q);
}

static void drops_watches_past_the_limit_and_says_so_once(void **state) {
    struct queue *q = queue_new(2);

    (void)state;
    for (uint64_t i = 1; i <= 9; i++)
        push(q, EVENT_WATCH, i);
    assert_int_equal(pop(q, 1), EVENT_WATCH);
    assert_int_equal(pop(q, 2), EVENT_WATCH);
    assert_int_equal(pop(q, 0), EVENT_OVERFLOW);
    assert_null(queue_pop(q));
    queue_free(q);
}

static void drops_log_lines_past_the_limit_in_silence(void **state) {
    struct queue *q = queue_new(1);

    (void)state;
    push(q, EVENT_LOG, 1);
    push(q, EVENT_LOG, 2);
    assert_int_equal(pop(q, 1), EVENT_LOG);
    assert_null(queue_pop(q));
    queue_free(q);
}

static void never_drops_what_answers_a_request(void **state) {
    static const enum event_type kept[] = {EVENT_REPLY, EVENT_SESSION,
                                           EVENT_ANSWER, EVENT_JOB};
    struct queue *q = queue_new(1);

    (void)state;
    push(q, EVENT_WATCH, 0);
    for (uint64_t i = 0; i < 4; i++)
        push(q, kept[i], i + 1);
    pop(q, 0);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(pop(q, i + 1), kept[i]);
    queue_free(q);
}

static void has_room_again_after_a_pop(void **state) {
    struct queue *q = queue_new(1);

    (void)state;
    push(q, EVENT_WATCH, 1);
    pop(q, 1);
    push(q, EVENT_WATCH, 2);
    assert_int_equal(pop(q, 2), EVENT_WATCH);
    assert_null(queue_pop(q));
    queue_free(q);
}

static void tells_of_every_overflow_not_only_the_first(void **state) {
    struct queue *q = queue_new(1);

    (void)state;
    for (int round = 0; round < 3; round++) {
        push(q, EVENT_WATCH, 1);
        push(q, EVENT_WATCH, 2);
        assert_int_equal(pop(q, 1), EVENT_WATCH);
        assert_int_equal(pop(q, 0), EVENT_OVERFLOW);
        assert_null(queue_pop(q));
    }
    queue_free(q);
}

static void takes_an_event_without_memory_for_an_overflow(void **state) {
    struct queue *q = queue_new(10);
    int64_t begun = clock_us();
    struct event *ev;

    (void)state;
    queue_push(q, NULL);
    queue_push(q, NULL);
    ev = queue_pop(q);
    assert_int_equal(ev->type, EVENT_OVERFLOW);
    /* How long a change takes is counted from there. */
    assert_in_range(ev->time_us, begun, clock_us());
    event_free(ev);
    assert_null(queue_pop(q));
    queue_free(q);
}

static void waits_no_longer_than_it_is_told(void **state) {
    struct queue *q = queue_new(10);
    int64_t begun = clock_ms();

    (void)state;
    assert_false(queue_wait(q, 20));
    assert_true(clock_ms() - begun >= 19);
    assert_false(queue_wait(q, 0));
    push(q, EVENT_REPLY, 1);
    assert_true(queue_wait(q, 60000));
    queue_free(q);
}

/* Pushes the numbers 1 to EACH, on a worker. */
static void push_many(void *data) {
    for (uint64_t i = 1; i <= EACH; i++)
        push(data, EVENT_REPLY, i);
}

static void ignore(void *data) { (void)data; }

static void ends_a_wait_when_another_thread_pushes(void **state) {
    struct queue *q = queue_new(10);
    struct worker *w = worker_new();

    (void)state;
    assert_int_equal(worker_run(w, push_many, ignore, q), 0);
    assert_true(queue_wait(q, 60000));
    worker_free(w);
    queue_free(q);
}

static void loses_and_doubles_nothing_between_threads(void **state) {
    struct queue *q = queue_new(10);
    struct worker *writers[WRITERS];
    uint64_t got = 0;
    uint64_t sum = 0;

    (void)state;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = worker_new();
        assert_int_equal(worker_run(writers[i], push_many, ignore, q), 0);
    }
    while (got < WRITERS * EACH && queue_wait(q, 60000)) {
        struct event *ev;

        while ((ev = queue_pop(q))) {
            got++;
            sum += ev->request;
            event_free(ev);
        }
    }
    assert_int_equal(got, WRITERS * EACH);
    assert_int_equal(sum, (uint64_t)WRITERS * EACH * (EACH + 1) / 2);
    for (int i = 0; i < WRITERS; i++)
        worker_free(writers[i]);
    assert_null(queue_pop(q));
    queue_free(q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_events_in_the_order_they_were_pushed),
        cmocka_unit_test(frees_the_events_that_nobody_popped),
        cmocka_unit_test(gives_each_number_once_and_starts_above_zero),
        cmocka_unit_test(begins_its_numbers_again_above_zero),
        cmocka_unit_test(wakes_only_when_it_turns_from_empty_to_not_empty),
        cmocka_unit_test(wakes_at_once_when_events_wait_already),
        cmocka_unit_test(drops_watches_past_the_limit_and_says_so_once),
        cmocka_unit_test(drops_log_lines_past_the_limit_in_silence),
        cmocka_unit_test(never_drops_what_answers_a_request),
        cmocka_unit_test(has_room_again_after_a_pop),
        cmocka_unit_test(tells_of_every_overflow_not_only_the_first),
        cmocka_unit_test(takes_an_event_without_memory_for_an_overflow),
        cmocka_unit_test(waits_no_longer_than_it_is_told),
        cmocka_unit_test(ends_a_wait_when_another_thread_pushes),
        cmocka_unit_test(loses_and_doubles_nothing_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
