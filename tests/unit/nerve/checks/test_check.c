/* test_check.c - tests of nerve/checks/check.c, with a type of check of its own
 * and a name server that says what a test wants
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/checks/check_type.h"
#include "nerve/checks/dns.h"
#include "nerve/checks/push.h"
#include "nerve/config/model.h"

/* What happened: "o"pened, an "a"ttempt, "c"ancelled, "l": the lookup is
 * cancelled, "x" closed, and the result "+", "-", or "?": not tried. */
static char story[40];
static char reason_seen[100];
static char address_seen[100];
static uv_loop_t loop;
static struct check *check;

static void tell(const char *what) {
    strncat(story, what, sizeof(story) - strlen(story) - 1);
}

/* Takes the place of dns.h. Addresses are known at once, unless <waits>. */
struct lookup {
    lookup_done_fn *done;
    void *arg;
};

static int lookups; /* that there are */
static int lookup_status;
static bool waits;

struct lookup *lookup_new(uv_loop_t *in, const char *host, int port,
                          lookup_done_fn *done, void *arg) {
    struct lookup *l = calloc(1, sizeof(*l));

    (void)in;
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 80);
    *l = (struct lookup){.done = done, .arg = arg};
    lookups++;
    return l;
}

void lookup_start(struct lookup *l) {
    static struct sockaddr_in in = {.sin_family = AF_INET};
    static struct addrinfo address = {.ai_addr = (struct sockaddr *)&in,
                                      .ai_addrlen = sizeof(in)};

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!waits)
        l->done(l->arg, lookup_status == 0 ? &address : NULL, lookup_status);
}

void lookup_cancel(struct lookup *l) {
    assert_non_null(l);
    if (waits)
        tell("l");
}

void lookup_free(struct lookup *l) {
    lookups -= l != NULL;
    free(l);
}

static int open_status;

static int open_fake(struct check *c) {
    (void)c;
    tell("o");
    return open_status;
}

static void attempt_fake(struct check *c, const struct addrinfo *address) {
    (void)c;
    tell("a");
    getnameinfo(address->ai_addr, address->ai_addrlen, address_seen,
                sizeof(address_seen), NULL, 0, NI_NUMERICHOST);
}

static void cancel_fake(struct check *c) {
    (void)c;
    tell("c");
}

static void close_fake(struct check *c) {
    (void)c;
    tell("x");
}

const struct check_type check_tcp = {.size = sizeof(struct check),
                                     .open = open_fake,
                                     .attempt = attempt_fake,
                                     .cancel = cancel_fake,
                                     .close = close_fake};
const struct check_type check_http = {.size = sizeof(struct check),
                                      .open = open_fake,
                                      .attempt = attempt_fake,
                                      .cancel = cancel_fake,
                                      .close = close_fake};

static void on_done(void *arg, enum check_result result, const char *reason) {
    static const char *const signs[] = {"+", "-", "?"};

    (void)arg;
    tell(signs[result]);
    snprintf(reason_seen, sizeof(reason_seen), "%s", reason ? reason : "");
}

static char host[] = "127.0.0.1";
static struct check_config config;

static int open_check(void **state) {
    struct check_env env = {.loop = &loop};

    (void)state;
    config = (struct check_config){.host = host, .port = 80, .timeout_ms = 20};
    story[0] = reason_seen[0] = '\0';
    open_status = lookup_status = lookups = 0;
    waits = false;
    if (uv_loop_init(&loop) != 0)
        return -1;
    check = check_open(&env, &config, on_done, NULL);
    return check ? 0 : -1;
}

static int close_check(void **state) {
    (void)state;
    check_close(check);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(lookups, 0);
    return uv_loop_close(&loop);
}

/* The loop has no turn for so long. */
static void spend(uint64_t ms) {
    uint64_t later = uv_hrtime() + ms * 1000000;

    while (uv_hrtime() < later)
        ;
}

static void a_result_is_handed_on(void **state) {
    (void)state;
    check_start(check);
    check_attempt_ended(check, CHECK_PASSED, NULL);
    check_start(check);
    check_attempt_ended(check, CHECK_FAILED, "status 503");
    assert_string_equal(story, "oa+a-");
    assert_string_equal(reason_seen, "status 503");
    assert_string_equal(address_seen, "127.0.0.1");
}

static void the_last_address_that_refuses_is_a_failure(void **state) {
    (void)state;
    check_start(check);
    check_attempt_refused(check, ECONNREFUSED, "connection refused");
    assert_string_equal(story, "oa-");
    assert_string_equal(reason_seen, "connection refused");
}

/* One leak of descriptors used to deregister every service of a machine: what
 * this process lacked was taken for a failure of the instance. */
static void what_this_process_lacks_is_no_failure(void **state) {
    static const int lacks[] = {EMFILE, ENFILE, ENOBUFS,
                                ENOMEM, EAGAIN, EADDRNOTAVAIL};

    (void)state;
    for (size_t i = 0; i < sizeof(lacks) / sizeof(*lacks); i++)
        assert_int_equal(check_result_of(lacks[i]), CHECK_NOT_TRIED);
    assert_int_equal(check_result_of(ECONNREFUSED), CHECK_FAILED);
    assert_int_equal(check_result_of(EACCES), CHECK_FAILED);
    assert_int_equal(check_result_of(0), CHECK_FAILED);
    check_start(check);
    check_attempt_refused(check, EMFILE, "too many open files");
    assert_string_equal(story, "oa?");
    assert_string_equal(reason_seen, "too many open files");
}

/* Out of local ports, every connection ends with EADDRNOTAVAIL, as one to ::1
 * does on a machine without IPv6: the next address decides, if there is one. */
static void an_address_that_is_not_available_is_left_to_the_next(void **state) {
    struct addrinfo first, last;

    (void)state;
    check_start(check);
    first = last = *check->address;
    last.ai_next = NULL;
    first.ai_next = &last;
    check->address = &first;
    check_attempt_refused(check, EADDRNOTAVAIL, "not available");
    assert_string_equal(story, "oaa");
    check_attempt_refused(check, ECONNREFUSED, "connection refused");
    assert_string_equal(story, "oaa-");
    check_start(check);
    check_attempt_refused(check, EADDRNOTAVAIL, "not available");
    assert_string_equal(story, "oaa-a?");
}

static void an_overrun_is_a_failure(void **state) {
    (void)state;
    check_start(check);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_string_equal(story, "oac-");
    assert_string_equal(reason_seen, "no answer within 20 ms");
}

/* A nerve that was stopped for a while used to find all its services dead:
 * their answers were there, but timers come before sockets. */
static void an_overrun_of_the_loop_itself_is_none(void **state) {
    (void)state;
    check_start(check);
    spend(40);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_string_equal(story, "oa");
    check_attempt_ended(check, CHECK_PASSED, NULL);
    assert_string_equal(story, "oa+");
}

/* By its own timeout at most: nobody waits for the instance for ever. */
static void the_time_that_was_lost_is_given_once(void **state) {
    (void)state;
    check_start(check);
    spend(100);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_string_equal(story, "oa");
    assert_in_range(uv_timer_get_due_in(&check->deadline), 0, 20);
    spend(40);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_string_equal(story, "oac-");
    /* The next run may lose time, too. */
    check_start(check);
    spend(40);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_string_equal(story, "oac-a");
}

static void nothing_runs_on_after_a_result(void **state) {
    (void)state;
    check_start(check);
    assert_true(uv_is_active((uv_handle_t *)&check->deadline));
    check_attempt_ended(check, CHECK_PASSED, NULL);
    assert_false(uv_is_active((uv_handle_t *)&check->deadline));
    check_stop(check);
    assert_string_equal(story, "oa+");
}

static void a_host_without_an_address_is_a_failure(void **state) {
    (void)state;
    lookup_status = UV_EAI_NONAME;
    check_start(check);
    assert_string_equal(story, "o-");
    assert_string_equal(reason_seen, "127.0.0.1: unknown node or service");
    check_stop(check);
    assert_string_equal(story, "o-");
}

/* Then nothing is known about the host. */
static void a_name_server_that_does_not_answer_is_no_failure(void **state) {
    static const int lacks[] = {UV_EAI_AGAIN, UV_EAI_MEMORY, UV_EMFILE};

    (void)state;
    for (size_t i = 0; i < sizeof(lacks) / sizeof(*lacks); i++) {
        story[0] = '\0';
        lookup_status = lacks[i];
        check_start(check);
        assert_string_equal(story, "?");
    }
    waits = true;
    check_start(check);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_string_equal(story, "?l?");
    assert_string_equal(reason_seen, "no answer of a name server within 20 ms");
}

static void a_stopped_check_has_no_result(void **state) {
    (void)state;
    check_start(check);
    check_stop(check);
    assert_string_equal(story, "oac");
    assert_false(uv_is_active((uv_handle_t *)&check->deadline));
    check_stop(check);
    assert_string_equal(story, "oac");
    waits = true;
    check_start(check);
    check_stop(check);
    assert_string_equal(story, "oacl");
    assert_false(uv_is_active((uv_handle_t *)&check->deadline));
}

static void nothing_is_left_of_a_check_without_memory(void **state) {
    struct check_env env = {.loop = &loop};

    (void)state;
    open_status = -1;
    assert_null(check_open(&env, &config, on_done, NULL));
    assert_int_equal(lookups, 1);
    check_close(NULL);
}

static void a_noop_passes_without_a_host(void **state) {
    struct check_config noop = {.kind = CHECK_NOOP, .timeout_ms = 20};
    struct check_env env = {.loop = &loop};
    struct check *c = check_open(&env, &noop, on_done, NULL);

    (void)state;
    story[0] = '\0';
    assert_int_equal(lookups, 1);
    check_start(c);
    assert_string_equal(story, "+");
    check_close(c);
    assert_string_equal(story, "+");
}

static void a_push_check_is_what_the_service_says(void **state) {
    struct check_config push = {
        .kind = CHECK_PUSH, .timeout_ms = 20, .ttl_ms = 60000};
    struct hearing hearing = {0};
    struct push_report report = {.word = PUSH_NOTHING};
    struct check_env env = {
        .loop = &loop, .hearing = &hearing, .report = &report};
    struct check *c = check_open(&env, &push, on_done, NULL);

    (void)state;
    story[0] = '\0';
    check_start(c);
    assert_string_equal(reason_seen, "no report yet");
    push_say(&report, PUSH_PASS, NULL, hearing_ms(&hearing, uv_now(&loop)));
    check_start(c);
    assert_string_equal(story, "-+");
    assert_string_equal(reason_seen, "");
    check_close(c);
}

static void a_running_check_is_closed_without_a_result(void **state) {
    (void)state;
    check_start(check);
    check_close(check);
    uv_run(&loop, UV_RUN_DEFAULT);
    check = NULL;
    assert_string_equal(story, "oacx");
}

#define TEST(test)                                                             \
    cmocka_unit_test_setup_teardown(test, open_check, close_check)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_result_is_handed_on),
        TEST(the_last_address_that_refuses_is_a_failure),
        TEST(what_this_process_lacks_is_no_failure),
        TEST(an_address_that_is_not_available_is_left_to_the_next),
        TEST(an_overrun_is_a_failure),
        TEST(an_overrun_of_the_loop_itself_is_none),
        TEST(the_time_that_was_lost_is_given_once),
        TEST(nothing_runs_on_after_a_result),
        TEST(a_host_without_an_address_is_a_failure),
        TEST(a_name_server_that_does_not_answer_is_no_failure),
        TEST(a_stopped_check_has_no_result),
        TEST(nothing_is_left_of_a_check_without_memory),
        TEST(a_noop_passes_without_a_host),
        TEST(a_push_check_is_what_the_service_says),
        TEST(a_running_check_is_closed_without_a_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
