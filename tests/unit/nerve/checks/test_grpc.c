/* test_grpc.c - tests of nerve/checks/grpc.c, with what libcurl says given
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

#include <cmocka.h>

#include "tests/fake/fake_curl.c"

static char host[] = "web.example", service[] = "shop.Cart";

static int begin(void **state) {
    (void)state;
    fake_curl_begin(&check_grpc);
    version_told = CURL_HTTP_VERSION_2_0;
    config =
        (struct check_config){.host = host, .port = 50051, .service = service};
    return 0;
}

static size_t hear_line(const char *line) {
    char copy[200];

    snprintf(copy, sizeof(copy), "%s", line);
    return give_header(copy, 1, strlen(copy), header_arg);
}

static size_t hear(const char *bytes, size_t length) {
    char copy[400];

    memcpy(copy, bytes, length);
    return give_body(copy, 1, length, body_arg);
}

static void asks_for_the_health_of_its_service(void **state) {
    (void)state;
    open_check();
    attempt();
    assert_string_equal(target, "::127.0.0.1:50051\n");
    assert_string_equal(url,
                        "http://web.example:50051/grpc.health.v1.Health/Check");
    assert_string_equal(headers, "Content-Type: application/grpc\n"
                                 "TE: trailers\nAccept:\n");
    assert_int_equal(numbers[CURLOPT_HTTP_VERSION],
                     CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    assert_int_equal(numbers[CURLOPT_POST], 1);
    assert_int_equal(numbers[CURLOPT_POSTFIELDSIZE], 16);
    assert_memory_equal(posted, "\0\0\0\0\x0b\n\x09shop.Cart", 16);
    assert_int_equal(numbers[CURLOPT_FRESH_CONNECT], 1);
    check_grpc.cancel(check);
    assert_story("");
}

static void agrees_on_http2_within_tls(void **state) {
    (void)state;
    config.tls = true;
    open_check();
    attempt();
    assert_string_equal(
        url, "https://web.example:50051/grpc.health.v1.Health/Check");
    assert_int_equal(numbers[CURLOPT_HTTP_VERSION], CURL_HTTP_VERSION_2TLS);
    check_grpc.cancel(check);
}

static void passes_when_its_service_is_serving(void **state) {
    (void)state;
    open_check();
    for (int i = 0; i < 2; i++) {
        attempt();
        hear_line("HTTP/2 200 \r\n");
        hear_line("content-type: application/grpc\r\n");
        /* In parts, as the network has cut it. */
        assert_int_equal(hear("\0\0\0", 3), 3);
        assert_int_equal(hear("\0\2\x08\1", 4), 4);
        hear_line("grpc-status: 0\r\n");
        finish(CURLE_OK, 200);
        assert_story("+");
    }
    /* Nothing of that is left for the next one. */
    attempt();
    finish(CURLE_OK, 200);
    assert_story("-content-type \"\", not application/grpc: no gRPC server "
                 "answers here");
}

static void fails_when_it_is_not_serving(void **state) {
    (void)state;
    open_check();
    attempt();
    hear_line("content-type: application/grpc\r\n");
    hear("\0\0\0\0\2\x08\2", 7);
    hear_line("grpc-status: 0\r\n");
    finish(CURLE_OK, 200);
    assert_story("-NOT_SERVING");
}

static void a_server_of_http1_is_none_of_grpc(void **state) {
    (void)state;
    open_check();
    attempt();
    version_told = CURL_HTTP_VERSION_1_1;
    finish(CURLE_OK, 404);
    assert_story("-the server answers in HTTP/1, and gRPC needs HTTP/2");
    attempt();
    finish(CURLE_HTTP2, 0);
    assert_story("-no answer in HTTP/2, which gRPC needs");
    attempt();
    hear_line("HTTP/2 200\r\n");
    finish(CURLE_HTTP2, 0);
    assert_story("-the server ended the request before it had answered");
}

static void reads_no_more_than_an_answer_may_have(void **state) {
    char much[300] = {0}, line[200];
    int lines = 0;

    (void)state;
    open_check();
    attempt();
    hear_line("content-type: application/grpc\r\n");
    assert_int_equal(hear(much, sizeof(much)), 0);
    finish(CURLE_WRITE_ERROR, 200);
    assert_story("-the answer is longer than 256 bytes; one of "
                 "grpc.health.v1.Health has 7");
    attempt();
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    while (hear_line(line) && lines < 1000)
        lines++;
    assert_int_equal(lines, 16384 / 199);
    finish(CURLE_WRITE_ERROR, 200);
    assert_story("-more than 16384 bytes of headers and trailers");
}

static void a_transfer_that_fails_says_why(void **state) {
    (void)state;
    open_check();
    attempt();
    finish(CURLE_HTTP2_STREAM, 0);
    assert_story("-the server ended the request before it had answered");
    attempt();
    number_told = ECONNREFUSED;
    finish(CURLE_COULDNT_CONNECT, 0);
    assert_story("rConnection refused");
    attempt();
    finish(CURLE_OUT_OF_MEMORY, 0);
    assert_story("?Out of memory");
}

static void a_tls_problem_is_told_in_the_words_of_the_library(void **state) {
    (void)state;
    config.tls = true;
    open_check();
    attempt();
    strcpy(problem, "certificate has expired");
    finish(CURLE_PEER_FAILED_VERIFICATION, 0);
    assert_story("-certificate has expired");
    attempt();
    strcpy(problem, "tlsv13 alert certificate required");
    finish(CURLE_RECV_ERROR, 0);
    assert_story("-tlsv13 alert certificate required");
}

static void without_memory_it_is_not_tried(void **state) {
    (void)state;
    open_check();
    none_left = true;
    attempt();
    assert_story("?out of memory");
    none_left = false;
    add_fails = true;
    attempt();
    assert_story("?out of memory");
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, fake_curl_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(asks_for_the_health_of_its_service),
        TEST(agrees_on_http2_within_tls),
        TEST(passes_when_its_service_is_serving),
        TEST(fails_when_it_is_not_serving),
        TEST(a_server_of_http1_is_none_of_grpc),
        TEST(reads_no_more_than_an_answer_may_have),
        TEST(a_transfer_that_fails_says_why),
        TEST(a_tls_problem_is_told_in_the_words_of_the_library),
        TEST(without_memory_it_is_not_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
