/* test_curl_loop.c - tests of nerve/checks/curl_loop.c: the pool of transfers
 *
 * That transfers run is tested end to end (tests/e2e/test_checks.py).
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "nerve/checks/curl_loop.h"

#define MANY 40 /* more than are kept */

static uv_loop_t loop;
static struct curl_loop *cl;

static int open_loop(void **state) {
    (void)state;
    if (uv_loop_init(&loop) != 0)
        return -1;
    cl = curl_loop_new(&loop);
    return cl ? 0 : -1;
}

static int close_loop(void **state) {
    (void)state;
    curl_loop_free(cl);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void a_transfer_is_used_again(void **state) {
    CURL *first = curl_loop_take(cl), *second = curl_loop_take(cl);

    (void)state;
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    curl_loop_give(cl, first);
    assert_ptr_equal(curl_loop_take(cl), first);
    curl_loop_give(cl, first);
    curl_loop_give(cl, second);
}

/* What one check has set must not reach another one's request. */
static void a_transfer_is_used_again_as_new(void **state) {
    CURL *easy = curl_loop_take(cl);
    char *kept = NULL;
    char mine[] = "mine";

    (void)state;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, mine);
    curl_easy_setopt(easy, CURLOPT_URL, "https://127.0.0.1/");
    curl_loop_give(cl, easy);
    assert_ptr_equal(curl_loop_take(cl), easy);
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &kept);
    assert_null(kept);
    assert_int_equal(curl_easy_perform(easy), CURLE_URL_MALFORMAT);
    curl_loop_give(cl, easy);
}

/* Those beyond are freed, or the leak would be seen under a sanitizer. */
static void there_are_as_many_as_are_taken(void **state) {
    CURL *taken[MANY];

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            taken[i] = curl_loop_take(cl);
            assert_non_null(taken[i]);
            for (int j = 0; j < i; j++)
                assert_ptr_not_equal(taken[i], taken[j]);
        }
        for (int i = 0; i < MANY; i++)
            curl_loop_give(cl, taken[i]);
    }
}

static void on_done(void *arg, CURLcode code) {
    (void)code;
    *(bool *)arg = true;
}

static void on_code(void *arg, CURLcode code) { *(CURLcode *)arg = code; }

static bool unwatchable;

/* In the place of libuv's. */
int uv_poll_init_socket(uv_loop_t *of, uv_poll_t *poll, uv_os_sock_t socket) {
    return unwatchable ? UV_ENOMEM : uv_poll_init(of, poll, socket);
}

/* A transfer whose socket could not be watched was the end of all others: of
 * every http check, until nerve was started again. */
static void a_socket_that_cannot_be_watched_ends_one_transfer(void **state) {
    CURL *lost = curl_loop_take(cl), *other = curl_loop_take(cl);
    CURLcode lost_code = CURLE_OK, other_code = CURLE_OK;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    char url[60];

    (void)state;
    assert_int_equal(bind(listener, (void *)&address, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (void *)&address, &length);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
    curl_easy_setopt(lost, CURLOPT_URL, url);
    unwatchable = true;
    assert_int_equal(curl_loop_add(cl, lost, on_code, &lost_code), 0);
    curl_easy_setopt(other, CURLOPT_URL, "http://127.0.0.1:1/");
    while (lost_code == CURLE_OK)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(lost_code, CURLE_OUT_OF_MEMORY);
    unwatchable = false;
    assert_int_equal(curl_loop_add(cl, other, on_code, &other_code), 0);
    while (other_code == CURLE_OK)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(other_code, CURLE_COULDNT_CONNECT);
    curl_loop_give(cl, lost);
    curl_loop_give(cl, other);
    close(listener);
}

static void a_transfer_that_is_removed_does_not_end(void **state) {
    CURL *easy = curl_loop_take(cl);
    bool done = false;

    (void)state;
    curl_easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1:1/");
    assert_int_equal(curl_loop_add(cl, easy, on_done, &done), 0);
    curl_loop_remove(cl, easy);
    curl_loop_give(cl, easy);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_false(done);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_transfer_is_used_again),
        TEST(a_transfer_is_used_again_as_new),
        TEST(there_are_as_many_as_are_taken),
        TEST(a_transfer_that_is_removed_does_not_end),
        TEST(a_socket_that_cannot_be_watched_ends_one_transfer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
