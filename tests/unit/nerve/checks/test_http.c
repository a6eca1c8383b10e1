/* test_http.c - tests of nerve/checks/http.c, with what libcurl says given
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

static char host[] = "web.example", uri[] = "/health?a=b", pong[] = "pong";
static struct status_range good[] = {{200, 299}, {401, 401}};

static int begin(void **state) {
    (void)state;
    fake_curl_begin(&check_http);
    config = (struct check_config){.host = host,
                                   .port = 8080,
                                   .uri = uri,
                                   .connect_ms = 70,
                                   .statuses = good,
                                   .status_count = 2};
    return 0;
}

static size_t hear(const char *bytes) {
    char copy[200];

    snprintf(copy, sizeof(copy), "%s", bytes);
    return give_body(copy, 1, strlen(copy), body_arg);
}

static void asks_the_address_for_the_path_as_it_is_written(void **state) {
    (void)state;
    open_check();
    attempt();
    assert_string_equal(target, "::127.0.0.1:8080\n");
    assert_string_equal(url, "http://web.example:8080/");
    assert_string_equal(request_target, uri);
    assert_string_equal(method, "");
    assert_int_equal(numbers[CURLOPT_NOBODY], 0);
    assert_int_equal(numbers[CURLOPT_CONNECTTIMEOUT_MS], 70);
    assert_string_equal(headers, "");
    check_http.cancel(check);
    assert_story("");
}

static void proves_something_anew_with_each_request(void **state) {
    (void)state;
    open_check();
    attempt();
    assert_int_equal(numbers[CURLOPT_FRESH_CONNECT], 1);
    assert_int_equal(numbers[CURLOPT_FORBID_REUSE], 1);
    assert_int_equal(numbers[CURLOPT_FOLLOWLOCATION], 0);
    assert_int_equal(numbers[CURLOPT_NOSIGNAL], 1);
    assert_int_equal(numbers[CURLOPT_HTTP_VERSION], CURL_HTTP_VERSION_1_1);
    check_http.cancel(check);
}

static void an_ipv6_host_is_put_in_brackets(void **state) {
    struct sockaddr_in6 in = {.sin6_family = AF_INET6,
                              .sin6_port = htons(8080),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct addrinfo address = {.ai_family = AF_INET6,
                                     .ai_addr = (struct sockaddr *)&in,
                                     .ai_addrlen = sizeof(in)};
    static char six[] = "::1";

    (void)state;
    config.host = six;
    open_check();
    check_http.attempt(check, &address);
    assert_string_equal(url, "http://[::1]:8080/");
    assert_string_equal(target, "::[::1]:8080\n");
    check_http.cancel(check);
}

static void each_expected_status_passes(void **state) {
    static const long passes[] = {200, 204, 299, 401};
    static const long fails[] = {199, 300, 400, 402, 503};
    char text[40];

    (void)state;
    open_check();
    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
        attempt();
        finish(CURLE_OK, passes[i]);
        assert_story("+");
    }
    for (size_t i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
        attempt();
        finish(CURLE_OK, fails[i]);
        snprintf(text, sizeof(text), "-status %ld", fails[i]);
        assert_story(text);
    }
    assert_int_equal(taken, 0);
}

static void an_expected_text_ends_the_transfer(void **state) {
    (void)state;
    config.expect = pong;
    open_check();
    attempt();
    assert_int_equal(hear("say po"), 6);
    assert_int_equal(hear("ng, and more"), 0);
    finish(CURLE_WRITE_ERROR, 200);
    assert_story("+");
    /* Nothing is left of it for the next request. */
    attempt();
    finish(CURLE_OK, 200);
    assert_story("-status 200, but no \"pong\" in the answer");
    attempt();
    hear("pong");
    finish(CURLE_WRITE_ERROR, 503);
    assert_story("-status 503");
}

static void no_more_than_64_kilobytes_are_read(void **state) {
    static char much[16384];

    (void)state;
    config.expect = pong;
    memset(much, 'x', sizeof(much));
    for (int expects = 1; expects >= 0; expects--) {
        config.expect = expects ? pong : NULL;
        open_check();
        attempt();
        for (int i = 0; i < 3; i++)
            assert_int_equal(give_body(much, 1, sizeof(much), body_arg),
                             sizeof(much));
        assert_int_equal(give_body(much, 1, sizeof(much), body_arg), 0);
        finish(CURLE_WRITE_ERROR, 200);
        assert_story(expects ? "-status 200, but no \"pong\" in the answer"
                             : "+");
        if (expects) {
            check_http.close(check);
            free(check);
        }
    }
}

static void one_that_refuses_is_left_to_the_next_address(void **state) {
    char refused[100];

    (void)state;
    open_check();
    attempt();
    number_told = ECONNREFUSED;
    finish(CURLE_COULDNT_CONNECT, 0);
    assert_story("rConnection refused");
    attempt();
    number_told = 0;
    finish(CURLE_COULDNT_CONNECT, 0);
    /* libcurl 8 has other words for it than 7. */
    snprintf(refused, sizeof(refused), "r%s",
             curl_easy_strerror(CURLE_COULDNT_CONNECT));
    assert_story(refused);
}

static void a_transfer_that_fails_says_why(void **state) {
    (void)state;
    open_check();
    attempt();
    finish(CURLE_OPERATION_TIMEDOUT, 0);
    assert_story("-no connection within open_timeout");
    attempt();
    finish(CURLE_UNSUPPORTED_PROTOCOL, 0);
    assert_story("-the answer is not HTTP");
    attempt();
    number_told = ECONNREFUSED;
    strcpy(problem, "only TLS has good words here");
    finish(CURLE_GOT_NOTHING, 0);
    assert_story("-Server returned nothing (no headers, no data)");
}

static void a_tls_problem_is_told_in_the_words_of_the_library(void **state) {
    (void)state;
    config.tls = true;
    open_check();
    attempt();
    assert_string_equal(url, "https://web.example:8080/");
    strcpy(problem, "certificate has expired");
    finish(CURLE_PEER_FAILED_VERIFICATION, 0);
    assert_story("-certificate has expired");
    attempt();
    finish(CURLE_PEER_FAILED_VERIFICATION, 0);
    assert_story("-SSL peer certificate or SSH remote key was not OK");
}

/* A nerve without descriptors could not open its ca_file; that was taken for a
 * failure of each instance that is checked over TLS. */
static void authorities_that_cannot_be_read_are_no_failure(void **state) {
    (void)state;
    config.tls = true;
    open_check();
    attempt();
    strcpy(problem, "error setting certificate verify locations");
    finish(CURLE_SSL_CACERT_BADFILE, 0);
    assert_story("?error setting certificate verify locations");
}

static void a_certificate_is_verified_when_it_is_to_be(void **state) {
    static char file[] = "/ca.pem", name[] = "other.example";

    (void)state;
    config.tls = true;
    config.sni = name;
    config.verify = true;
    config.ca_file = file;
    open_check();
    attempt();
    assert_string_equal(url, "https://other.example:8080/");
    assert_int_equal(numbers[CURLOPT_SSL_VERIFYPEER], 1);
    assert_int_equal(numbers[CURLOPT_SSL_VERIFYHOST], 2);
    assert_string_equal(ca_file, "/ca.pem");
    /* None of the system's is believed beside it. */
    assert_true(ca_path_unset);
    check_http.cancel(check);
    config.verify = false;
    attempt();
    assert_int_equal(numbers[CURLOPT_SSL_VERIFYPEER], 0);
    assert_int_equal(numbers[CURLOPT_SSL_VERIFYHOST], 0);
    check_http.cancel(check);
    config.verify = true;
    config.ca_file = NULL;
    ca_path_unset = false;
    attempt();
    assert_false(ca_path_unset);
    check_http.cancel(check);
}

static void methods_and_headers_go_out_as_configured(void **state) {
    static char head[] = "HEAD", post[] = "POST", put[] = "PUT";
    static char first[] = "A: 1", second[] = "B: 2";
    static char *lines[] = {first, second};

    (void)state;
    config.method = head;
    open_check();
    attempt();
    assert_int_equal(numbers[CURLOPT_NOBODY], 1);
    assert_string_equal(method, "");
    assert_string_equal(headers, "");
    check_http.cancel(check);
    check_http.close(check);
    free(check);
    config.method = put;
    open_check();
    attempt();
    assert_string_equal(method, "PUT");
    assert_string_equal(headers, "Content-Length: 0\n");
    check_http.cancel(check);
    check_http.close(check);
    free(check);
    config.method = post;
    config.headers = lines;
    config.header_count = 2;
    open_check();
    attempt();
    assert_string_equal(method, "POST");
    assert_string_equal(headers, "A: 1\nB: 2\nContent-Length: 0\n");
    check_http.cancel(check);
}

static void without_memory_the_transfer_is_given_back(void **state) {
    (void)state;
    open_check();
    none_left = true;
    attempt();
    assert_story("?out of memory");
    none_left = false;
    add_fails = true;
    attempt();
    assert_story("?out of memory");
    assert_int_equal(taken, 0);
}

static void one_that_is_closed_takes_its_transfer_along(void **state) {
    (void)state;
    open_check();
    attempt();
    assert_int_equal(added, 1);
    check_http.cancel(check);
    check_http.cancel(check);
    assert_int_equal(added, 0);
    attempt();
    /* Closed by the end of the test, which looks at the pool. */
    assert_int_equal(taken, 1);
    assert_story("");
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, fake_curl_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(asks_the_address_for_the_path_as_it_is_written),
        TEST(proves_something_anew_with_each_request),
        TEST(an_ipv6_host_is_put_in_brackets),
        TEST(each_expected_status_passes),
        TEST(an_expected_text_ends_the_transfer),
        TEST(no_more_than_64_kilobytes_are_read),
        TEST(one_that_refuses_is_left_to_the_next_address),
        TEST(a_transfer_that_fails_says_why),
        TEST(a_tls_problem_is_told_in_the_words_of_the_library),
        TEST(authorities_that_cannot_be_read_are_no_failure),
        TEST(a_certificate_is_verified_when_it_is_to_be),
        TEST(methods_and_headers_go_out_as_configured),
        TEST(without_memory_the_transfer_is_given_back),
        TEST(one_that_is_closed_takes_its_transfer_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
