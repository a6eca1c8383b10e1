/* test_tcp.c - tests of nerve/checks/tcp.c, with what libuv says given
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/checks/check_type.h"
#include "nerve/config/model.h"

/* What was asked of libuv, and is to be answered; and what it returns. */
static uv_connect_t *connecting;
static uv_connect_cb connected;
static uv_write_t *writing;
static uv_write_cb written;
static char sent[100];
static uv_stream_t *reading;
static uv_alloc_cb lent;
static uv_read_cb heard;
static uv_handle_t *closing[4];
static uv_close_cb closed[4];
static int connect_status, write_status, read_status, close_count;
static uint16_t our_port;

/* "+", or "-" or "r"efused with the reason. */
static char story[300];

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp) {
    (void)loop;
    (void)tcp;
    return 0;
}

int uv_tcp_connect(uv_connect_t *req, uv_tcp_t *tcp,
                   const struct sockaddr *address, uv_connect_cb done) {
    (void)tcp;
    assert_int_equal(address->sa_family, AF_INET);
    connecting = req;
    connected = done;
    return connect_status;
}

int uv_write(uv_write_t *req, uv_stream_t *stream, const uv_buf_t buffers[],
             unsigned int count, uv_write_cb done) {
    (void)stream;
    assert_int_equal(count, 1);
    snprintf(sent, sizeof(sent), "%.*s", (int)buffers[0].len, buffers[0].base);
    writing = req;
    written = done;
    return write_status;
}

int uv_read_start(uv_stream_t *stream, uv_alloc_cb lend, uv_read_cb done) {
    reading = stream;
    lent = lend;
    heard = done;
    return read_status;
}

void uv_close(uv_handle_t *handle, uv_close_cb done) {
    closing[close_count] = handle;
    closed[close_count++] = done;
}

int uv_fileno(const uv_handle_t *handle, uv_os_fd_t *fd) {
    (void)handle;
    *fd = 7;
    return 0;
}

bool check_is_with_itself(int fd) { return fd == 7 && our_port == 80; }

static void tell(const char *what, const char *reason) {
    strcat(story, what);
    if (reason)
        strcat(story, reason);
}

enum check_result check_result_of(int error) {
    return error == EMFILE || error == ENOBUFS ? CHECK_NOT_TRIED : CHECK_FAILED;
}

void check_attempt_ended(struct check *c, enum check_result result,
                         const char *reason) {
    static const char *const signs[] = {"+", "-", "?"};

    (void)c;
    tell(signs[result], reason);
}

void check_attempt_refused(struct check *c, int error, const char *reason) {
    (void)c;
    (void)error;
    tell("r", reason);
}

static char ping[] = "PING\r\n", pong[] = "PONG";
static struct check_config config;
static struct check *check;

static int begin(void **state) {
    (void)state;
    config = (struct check_config){.port = 80};
    check = calloc(1, check_tcp.size);
    check->config = &config;
    connect_status = write_status = read_status = close_count = 0;
    connecting = NULL;
    writing = NULL;
    reading = NULL;
    sent[0] = story[0] = '\0';
    our_port = 40000;
    return check_tcp.open(check);
}

/* What was made is closed, and once only: a sanitizer sees the rest. */
static int end(void **state) {
    (void)state;
    check_tcp.close(check);
    for (int i = 0; i < close_count; i++)
        closed[i](closing[i]);
    free(check);
    return 0;
}

static void attempt(void) {
    static const struct sockaddr_in in = {.sin_family = AF_INET};
    const struct addrinfo address = {.ai_addr = (struct sockaddr *)&in};

    check_tcp.attempt(check, &address);
}

/* Attempts, and the connection is made. */
static void reach(void) {
    attempt();
    connected(connecting, 0);
}

static void hear(const char *bytes) {
    uv_buf_t buffer = {0};

    lent((uv_handle_t *)reading, 100, &buffer);
    assert_true(buffer.len >= strlen(bytes));
    memcpy(buffer.base, bytes, strlen(bytes));
    heard(reading, (ssize_t)strlen(bytes), &buffer);
}

static void hear_error(int error) {
    uv_buf_t buffer = {0};

    heard(reading, error, &buffer);
}

static void a_connection_is_enough(void **state) {
    (void)state;
    attempt();
    assert_string_equal(story, "");
    connected(connecting, 0);
    assert_string_equal(story, "+");
    assert_int_equal(close_count, 1);
    assert_null(reading);
    assert_string_equal(sent, "");
}

static void an_instance_that_refuses_is_left_to_the_next_address(void **state) {
    (void)state;
    attempt();
    connected(connecting, UV_ECONNREFUSED);
    assert_string_equal(story, "rconnection refused");
    connect_status = UV_ENETUNREACH;
    attempt();
    assert_string_equal(story, "rconnection refusedrnetwork is unreachable");
    assert_int_equal(close_count, 2);
}

/* Where nobody listens, the system may choose the port of the instance for
 * this end as well: then nerve is connected with itself. */
static void a_connection_with_itself_is_none(void **state) {
    (void)state;
    our_port = 80;
    reach();
    assert_string_equal(story, "rconnection refused");
}

static void what_is_to_be_sent_must_be_taken(void **state) {
    (void)state;
    config.send = ping;
    reach();
    assert_string_equal(sent, ping);
    assert_string_equal(story, "");
    written(writing, 0);
    assert_string_equal(story, "+");
    assert_null(reading);
}

static void what_cannot_be_sent_is_a_failure(void **state) {
    (void)state;
    config.send = ping;
    reach();
    written(writing, UV_EPIPE);
    assert_string_equal(story, "-broken pipe");
    story[0] = '\0';
    write_status = UV_ENOMEM;
    reach();
    assert_string_equal(story, "-not enough memory");
}

static void an_answer_passes_when_the_text_is_in_it(void **state) {
    (void)state;
    config.send = ping;
    config.expect = pong;
    reach();
    written(writing, 0);
    hear("+PO");
    hear("");
    assert_string_equal(story, "");
    hear("NG\r\n");
    assert_string_equal(story, "+");
}

static void a_service_may_speak_first(void **state) {
    (void)state;
    config.expect = pong;
    reach();
    assert_string_equal(sent, "");
    hear("PONG");
    assert_string_equal(story, "+");
}

static void an_end_without_the_text_tells_the_first_line(void **state) {
    (void)state;
    config.expect = pong;
    reach();
    hear("-ERR no\r\nmore\r\n");
    hear_error(UV_EOF);
    assert_string_equal(story, "-no \"PONG\" in the answer \"-ERR no\"");
    story[0] = '\0';
    reach();
    hear("12345678901234567890123456789012345678901234567890123456789012345");
    hear_error(UV_EOF);
    assert_string_equal(story,
                        "-no \"PONG\" in the answer \"12345678901234567890"
                        "1234567890123456789012345678901234567890\"");
}

/* Not even what an earlier attempt was answered. */
static void an_end_without_an_answer_says_so(void **state) {
    (void)state;
    config.expect = pong;
    reach();
    hear("PO");
    check_tcp.cancel(check);
    reach();
    hear_error(UV_EOF);
    assert_string_equal(story, "-closed, and no \"PONG\" came");
}

static void a_lost_connection_is_a_failure(void **state) {
    (void)state;
    config.expect = pong;
    reach();
    hear_error(UV_ECONNRESET);
    assert_string_equal(story, "-connection reset by peer");
    story[0] = '\0';
    read_status = UV_ENOTCONN;
    reach();
    assert_string_equal(story, "-socket is not connected");
}

static void no_more_than_64_kilobytes_are_looked_at(void **state) {
    static char much[8192 + 1];

    (void)state;
    config.expect = pong;
    memset(much, 'x', 8192);
    much[3] = '\n';
    reach();
    for (int i = 0; i < 7; i++)
        hear(much);
    assert_string_equal(story, "");
    much[8188] = '\0';
    hear(much);
    assert_string_equal(story, "");
    /* The limit lies in the middle of the text. */
    hear("PONG"
         "PONG");
    assert_string_equal(story, "+");
    story[0] = '\0';
    much[8188] = 'x';
    reach();
    for (int i = 0; i < 8; i++)
        hear(much);
    assert_string_equal(story, "-no \"PONG\" in the answer \"xxx\"");
}

static void an_attempt_that_was_given_up_tells_nothing(void **state) {
    (void)state;
    config.send = ping;
    config.expect = pong;
    attempt();
    check_tcp.cancel(check);
    connected(connecting, 0);
    assert_string_equal(sent, "");
    reach();
    check_tcp.cancel(check);
    written(writing, UV_ECANCELED);
    hear_error(UV_EOF);
    assert_string_equal(story, "");
    assert_int_equal(close_count, 2);
    check_tcp.cancel(check);
    assert_int_equal(close_count, 2);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_connection_is_enough),
        TEST(an_instance_that_refuses_is_left_to_the_next_address),
        TEST(a_connection_with_itself_is_none),
        TEST(what_is_to_be_sent_must_be_taken),
        TEST(what_cannot_be_sent_is_a_failure),
        TEST(an_answer_passes_when_the_text_is_in_it),
        TEST(a_service_may_speak_first),
        TEST(an_end_without_the_text_tells_the_first_line),
        TEST(an_end_without_an_answer_says_so),
        TEST(a_lost_connection_is_a_failure),
        TEST(no_more_than_64_kilobytes_are_looked_at),
        TEST(an_attempt_that_was_given_up_tells_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
