/* test_check.c - tests of nerve/checks/check.c, with a type of check of its own
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/checks/check_type.h"
#include "nerve/config/model.h"

/* What happened: "o"pened, an "a"ttempt, "c"ancelled, "x" closed, and the
 * result "+", "-", or "?": not tried. */
static char story[40];
static char reason_seen[100];
static char address_seen[100];
static uv_loop_t loop;
static struct check *check;

static void tell(const char *what) {
    strncat(story, what, sizeof(story) - strlen(story) - 1);
}

static int open_fake(struct check *c) {
    (void)c;
    tell("o");
    return 0;
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
    if (uv_loop_init(&loop) != 0)
        return -1;
    check = check_open(&env, &config, on_done, NULL);
    return check ? 0 : -1;
}

static int close_check(void **state) {
    (void)state;
    check_close(check);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
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
    uint64_t later;

    (void)state;
    check_start(check);
    later = uv_hrtime() + 40 * 1000000;
    while (uv_hrtime() < later)
        ;
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_string_equal(story, "oa");
    check_attempt_ended(check, CHECK_PASSED, NULL);
    assert_string_equal(story, "oa+");
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
        TEST(a_running_check_is_closed_without_a_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
