/* test_hosts_lookup.c - tests of csrc/zookeeper/hosts_lookup.c, beside a libc
 * that knows one name, hangs at another, and crashes at a third
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/clock.h"
#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/base/resolver.h"
#include "csrc/base/worker.h"
#include "csrc/zookeeper/hosts_lookup.h"

static struct sockaddr_in known = {.sin_family = AF_INET};

/* What is told once a name hangs, or -1. */
static int hanging = -1;

/* They take the place of libc's. */
int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **result) {
    struct addrinfo *info = calloc(1, sizeof(*info));

    (void)service;
    (void)hints;
    if (strcmp(name, "hangs") == 0 && hanging != -1)
        assert_int_equal(write(hanging, "h", 1), 1);
    while (strcmp(name, "hangs") == 0)
        pause();
    if (strcmp(name, "crashes") == 0)
        _exit(1);
    if (strncmp(name, "known", 5) != 0) {
        free(info);
        return EAI_NONAME;
    }
    info->ai_family = AF_INET;
    info->ai_addr = (struct sockaddr *)&known;
    info->ai_addrlen = sizeof(known);
    *result = info;
    return 0;
}

void freeaddrinfo(struct addrinfo *info) { free(info); }

static void assert_no_child(void) {
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void resolves_all_lists_at_once(void **state) {
    struct hosts_lookup lookups[40];
    char names[40][32];

    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "known%d:%d", i, i + 1);
        lookups[i] = (struct hosts_lookup){.hosts = names[i]};
    }
    hosts_look_up(lookups, 40, 20000);
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "10.0.0.1:%d", i + 1);
        assert_string_equal(lookups[i].numeric, names[i]);
        assert_string_equal(lookups[i].err.text, "");
        free(lookups[i].numeric);
    }
    assert_no_child();
}

/* Returns the descriptor that is opened next. */
static int next_descriptor(void) {
    int fd = dup(0);

    close(fd);
    return fd;
}

static void names_what_has_no_address(void **state) {
    struct hosts_lookup lookups[] = {{.hosts = "known:1,zk2:1,zk3:1"},
                                     {.hosts = "zk4:1"},
                                     {.hosts = "known"}};
    int before = next_descriptor();

    (void)state;
    hosts_look_up(lookups, 3, 20000);
    assert_int_equal(next_descriptor(), before);
    assert_string_equal(lookups[0].numeric, "10.0.0.1:1");
    assert_string_equal(lookups[0].err.text, "zk2: Name or service not known, "
                                             "zk3: Name or service not known");
    assert_null(lookups[1].numeric);
    assert_string_equal(lookups[1].err.text, "zk4: Name or service not known");
    assert_null(lookups[2].numeric);
    assert_non_null(strstr(lookups[2].err.text, "known: not host:port"));
    free(lookups[0].numeric);
}

/* A name server that took questions and never answered held HAProxy's load up
 * for half a minute a name. */
static void waits_no_longer_than_it_may_for_what_hangs(void **state) {
    struct hosts_lookup lookups[] = {{.hosts = "hangs:1"},
                                     {.hosts = "known:1"}};
    int64_t before = clock_ms();

    (void)state;
    hosts_look_up(lookups, 2, 500);
    assert_in_range(clock_ms() - before, 499, 10000);
    assert_null(lookups[0].numeric);
    assert_string_equal(lookups[0].err.text, "hangs:1: no answer within 0.5 s");
    assert_string_equal(lookups[1].numeric, "10.0.0.1:1");
    free(lookups[1].numeric);
    assert_no_child();
}

/* HAProxy may be killed while it loads. */
static void ends_with_the_process_that_asked(void **state) {
    struct hosts_lookup lookup = {.hosts = "hangs:1"};
    int ends[2], status;
    char byte;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    hanging = ends[1];
    child = fork();
    if (child == 0) {
        hosts_look_up(&lookup, 1, 1000000);
        _exit(0);
    }
    close(ends[1]);
    hanging = -1;
    assert_int_equal(read(ends[0], &byte, 1), 1); /* it hangs */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* nobody has the pipe */
    close(ends[0]);
}

/* It said that there was no answer within so many seconds. */
static void says_so_where_the_process_ended_early(void **state) {
    struct hosts_lookup lookup = {.hosts = "crashes:1"};

    (void)state;
    hosts_look_up(&lookup, 1, 60000);
    assert_null(lookup.numeric);
    assert_string_equal(
        lookup.err.text,
        "crashes:1: the process for the names ended without an answer");
    assert_no_child();
}

static void says_so_where_no_descriptor_is_left(void **state) {
    struct hosts_lookup lookup = {.hosts = "known:1"};
    struct rlimit before, none;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    hosts_look_up(&lookup, 1, 20000);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_null(lookup.numeric);
    assert_string_equal(lookup.err.text, "known:1: no process for the names: "
                                         "Too many open files");
}

static void answers_later_with_an_event(void **state) {
    struct worker *worker = worker_new();
    struct queue *queue = queue_new(10);
    struct resolver *resolver = resolver_new("/nonexistent");
    struct event *ev;

    (void)state;
    assert_int_equal(
        hosts_look_up_later(worker, queue, resolver, "10.0.0.1:2181", 7), 0);
    assert_true(queue_wait(queue, 20000));
    ev = queue_pop(queue);
    assert_int_equal(ev->type, EVENT_ADDRESSES);
    assert_int_equal(ev->request, 7);
    assert_string_equal(ev->data, "10.0.0.1:2181");
    assert_int_equal(ev->length, 13);
    assert_null(ev->missing);
    event_free(ev);
    resolver_stop(resolver);
    hosts_look_up_later(worker, queue, resolver, "zk.invalid:1", 8);
    assert_true(queue_wait(queue, 20000));
    ev = queue_pop(queue);
    assert_null(ev->data);
    assert_int_equal(ev->length, 0);
    assert_non_null(strstr(ev->missing, "zk.invalid: "));
    event_free(ev);
    worker_free(worker);
    queue_free(queue);
    resolver_free(resolver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolves_all_lists_at_once),
        cmocka_unit_test(names_what_has_no_address),
        cmocka_unit_test(waits_no_longer_than_it_may_for_what_hangs),
        cmocka_unit_test(ends_with_the_process_that_asked),
        cmocka_unit_test(says_so_where_the_process_ended_early),
        cmocka_unit_test(says_so_where_no_descriptor_is_left),
        cmocka_unit_test(answers_later_with_an_event),
    };

    known.sin_addr.s_addr = htonl(0x0a000001);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
