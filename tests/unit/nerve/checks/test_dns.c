/* test_dns.c - tests of nerve/checks/dns.c, with the name server's answers and
 * the clock given
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/checks/dns.h"

/* What dns.c takes for libuv's clock, in milliseconds. */
static uint64_t now_ms;

/* The query under way, if there is one, and how many there were. */
static uv_getaddrinfo_t *query;
static uv_getaddrinfo_cb answered;
static int queries, refusal;
static char asked[100];

/* Everything that <done> was told: an address or a reason, and a space. */
static char told[200];
static uv_loop_t loop;
static struct lookup *lookup;

uint64_t uv_now(const uv_loop_t *l) {
    (void)l;
    return now_ms;
}

int uv_getaddrinfo(uv_loop_t *l, uv_getaddrinfo_t *req, uv_getaddrinfo_cb done,
                   const char *node, const char *service,
                   const struct addrinfo *hints) {
    (void)l;
    assert_int_equal(hints->ai_socktype, SOCK_STREAM);
    assert_null(query);
    queries++;
    if (refusal)
        return refusal;
    snprintf(asked, sizeof(asked), "%s %s", node, service);
    query = req;
    answered = done;
    return 0;
}

/* Answers the query under way: with <address>, or with an error. */
static void answer(const char *address, int status) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;
    uv_getaddrinfo_t *req = query;

    if (address)
        assert_int_equal(getaddrinfo(address, "80", &hints, &list), 0);
    assert_non_null(req);
    query = NULL;
    answered(req, status, list);
}

static void on_done(void *arg, const struct addrinfo *addresses, int status) {
    char text[NI_MAXHOST] = "";

    assert_ptr_equal(arg, told);
    if (addresses)
        getnameinfo(addresses->ai_addr, addresses->ai_addrlen, text,
                    sizeof(text), NULL, 0, NI_NUMERICHOST);
    strcat(told, addresses ? text : uv_strerror(status));
    strcat(told, " ");
}

static void assert_told(const char *wanted) {
    assert_string_equal(told, wanted);
    told[0] = '\0';
}

static void look_up(const char *host) {
    lookup = lookup_new(&loop, host, 8080, on_done, told);
    assert_non_null(lookup);
}

static int begin(void **state) {
    (void)state;
    /* So long is no clock of a machine that has just started. */
    now_ms = 40000;
    query = NULL;
    queries = refusal = 0;
    told[0] = asked[0] = '\0';
    return 0;
}

static int end(void **state) {
    (void)state;
    lookup_free(lookup);
    lookup = NULL;
    return query ? -1 : 0;
}

static void an_address_is_known_without_a_query(void **state) {
    (void)state;
    look_up("127.0.0.1");
    lookup_start(lookup);
    now_ms += 100000;
    lookup_start(lookup);
    assert_told("127.0.0.1 127.0.0.1 ");
    assert_int_equal(queries, 0);
}

static void a_name_is_told_when_it_is_answered(void **state) {
    (void)state;
    look_up("web");
    lookup_start(lookup);
    assert_told("");
    assert_string_equal(asked, "web 8080");
    answer("127.0.0.2", 0);
    assert_told("127.0.0.2 ");
}

static void an_answer_serves_for_30_seconds(void **state) {
    (void)state;
    look_up("web");
    lookup_start(lookup);
    answer("127.0.0.2", 0);
    now_ms += 30000;
    lookup_start(lookup);
    assert_told("127.0.0.2 127.0.0.2 ");
    assert_int_equal(queries, 1);
}

/* A slow name server must not fail the check of a host that is known. */
static void an_old_answer_serves_while_a_newer_one_is_asked_for(void **state) {
    (void)state;
    look_up("web");
    lookup_start(lookup);
    answer("127.0.0.2", 0);
    now_ms += 30001;
    lookup_start(lookup);
    lookup_start(lookup);
    assert_told("127.0.0.2 127.0.0.2 127.0.0.2 ");
    assert_int_equal(queries, 2);
    answer("127.0.0.3", 0);
    assert_told("");
    lookup_start(lookup);
    assert_told("127.0.0.3 ");
    lookup_start(lookup);
    assert_told("127.0.0.3 ");
    assert_int_equal(queries, 2);
}

static void a_failed_query_leaves_what_is_known(void **state) {
    (void)state;
    look_up("web");
    lookup_start(lookup);
    answer("127.0.0.2", 0);
    now_ms += 40000;
    lookup_start(lookup);
    answer(NULL, UV_EAI_AGAIN);
    lookup_start(lookup);
    assert_told("127.0.0.2 127.0.0.2 127.0.0.2 ");
    now_ms += 40000;
    refusal = UV_ENOMEM;
    lookup_start(lookup);
    assert_told("127.0.0.2 ");
}

static void without_an_answer_there_is_a_reason(void **state) {
    (void)state;
    look_up("web");
    lookup_start(lookup);
    answer(NULL, UV_EAI_NONAME);
    assert_told("unknown node or service ");
    refusal = UV_ENOMEM;
    lookup_start(lookup);
    assert_told("not enough memory ");
    refusal = 0;
    lookup_start(lookup);
    answer("127.0.0.2", 0);
    assert_told("127.0.0.2 ");
    assert_int_equal(queries, 3);
}

static void who_has_cancelled_is_told_nothing(void **state) {
    (void)state;
    look_up("web");
    lookup_start(lookup);
    lookup_cancel(lookup);
    answer("127.0.0.2", 0);
    assert_told("");
    lookup_start(lookup);
    assert_told("127.0.0.2 ");
    assert_int_equal(queries, 1);
}

static void an_answer_that_was_waited_for_again_is_told_once(void **state) {
    (void)state;
    look_up("web");
    lookup_start(lookup);
    lookup_cancel(lookup);
    lookup_start(lookup);
    assert_int_equal(queries, 1);
    answer("127.0.0.2", 0);
    assert_told("127.0.0.2 ");
}

/* libuv still has the query: what is freed too early is seen by a sanitizer,
 * and what never is by its leaks. */
static void one_that_is_freed_stays_until_its_query_is_over(void **state) {
    (void)state;
    look_up("web");
    lookup_start(lookup);
    lookup_free(lookup);
    lookup = NULL;
    answer("127.0.0.2", 0);
    assert_told("");
    lookup_free(NULL);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_address_is_known_without_a_query),
        TEST(a_name_is_told_when_it_is_answered),
        TEST(an_answer_serves_for_30_seconds),
        TEST(an_old_answer_serves_while_a_newer_one_is_asked_for),
        TEST(a_failed_query_leaves_what_is_known),
        TEST(without_an_answer_there_is_a_reason),
        TEST(who_has_cancelled_is_told_nothing),
        TEST(an_answer_that_was_waited_for_again_is_told_once),
        TEST(one_that_is_freed_stays_until_its_query_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
