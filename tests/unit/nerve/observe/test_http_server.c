/* test_http_server.c - tests of nerve/observe/http_server.c, with a client on
 * the loopback
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/clock.h"
#include "nerve/observe/http_server.h"
#include "tests/fake/fake_log.c"

#define HOST        "127.0.0.1"
#define DEADLINE_US 60000000
#define FDS_MAX     256

static uv_loop_t loop;
static struct web *web;
static char asked[100]; /* the last path */
static bool has_memory;
static bool inherited[FDS_MAX]; /* descriptors that this test began with */

static struct web_page page(void *arg, const char *path) {
    assert_ptr_equal(arg, asked);
    snprintf(asked, sizeof(asked), "%s", path);
    return (struct web_page){203, "text/x-test",
                             has_memory ? strdup("a page\n") : NULL};
}

static int begin(void **state) {
    (void)state;
    has_memory = true;
    asked[0] = '\0';
    fake_log_clear();
    if (uv_loop_init(&loop) != 0)
        return -1;
    web = web_new(&loop, NULL, page, asked);
    return web ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    web_close(web);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

/* Returns the port on which this process listens, or 0. */
static int listening(void) {
    struct sockaddr_in at;
    socklen_t size, length;
    int found = 0, accepts;

    for (int fd = 3; fd < FDS_MAX; fd++) {
        size = sizeof(accepts);
        length = sizeof(at);
        if (inherited[fd] ||
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) != 0 ||
            !accepts || getsockname(fd, (struct sockaddr *)&at, &length) != 0)
            continue;
        assert_int_equal(found, 0);
        assert_int_equal(at.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        found = ntohs(at.sin_port);
    }
    return found;
}

static int connect_to(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Reads until the server has closed the connection, or until <last> came.
 * Returns what came, borrowed until the next one. */
static const char *read_answer(int fd, const char *last) {
    static char text[4096];
    int64_t end_us = clock_us() + DEADLINE_US;
    size_t length = 0;
    ssize_t count;

    text[0] = '\0';
    while ((count = recv(fd, text + length, sizeof(text) - 1 - length, 0))) {
        assert_true(count > 0 || errno == EAGAIN);
        assert_true(clock_us() < end_us);
        if (count < 0)
            uv_run(&loop, UV_RUN_NOWAIT);
        else
            text[length += (size_t)count] = '\0';
        if (last && strstr(text, last))
            break;
    }
    return text;
}

/* Sends a whole request and returns its answer. */
static const char *ask(const char *request) {
    int fd = connect_to(listening());
    const char *text;

    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    text = read_answer(fd, NULL);
    close(fd);
    return text;
}

#define CLOSE "Host: h\r\nConnection: close\r\n"

static void a_page_has_its_status_and_its_type(void **state) {
    const char *text;

    (void)state;
    web_use(web, HOST, 0);
    assert_true(fake_log_is("info metrics_listen: 127.0.0.1 port 0\n"));
    text = ask("GET /a/b?c HTTP/1.1\r\n" CLOSE "\r\n");
    assert_string_equal(asked, "/a/b");
    assert_int_equal(strncmp(text, "HTTP/1.1 203 ", 13), 0);
    assert_non_null(strstr(text, "Content-Type: text/x-test\r\n"));
    assert_non_null(strstr(text, "Content-Length: 7\r\n"));
    assert_non_null(strstr(text, "\r\n\r\na page\n"));
}

static void a_head_has_no_page(void **state) {
    const char *text;

    (void)state;
    web_use(web, HOST, 0);
    text = ask("HEAD /x HTTP/1.1\r\n" CLOSE "\r\n");
    assert_string_equal(asked, "/x");
    assert_non_null(strstr(text, "Content-Length: 7\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}

/* The body of a request is ignored, however long it is. */
static void nothing_can_be_changed(void **state) {
    static const char *const requests[] = {
        "POST /metrics HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nabcde",
        "DELETE /metrics HTTP/1.1\r\n" CLOSE "\r\n",
    };
    const char *text;

    (void)state;
    web_use(web, HOST, 0);
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        text = ask(requests[i]);
        assert_int_equal(strncmp(text, "HTTP/1.1 405 ", 13), 0);
        assert_non_null(strstr(text, "Allow: GET, HEAD\r\n"));
        assert_non_null(strstr(text, "\r\n\r\nonly GET and HEAD\n"));
    }
    assert_string_equal(asked, "");
    text = ask("GET /y HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nabcde");
    assert_int_equal(strncmp(text, "HTTP/1.1 203 ", 13), 0);
    assert_null(strstr(text, "Allow:"));
}

static void a_connection_serves_several_requests(void **state) {
    static const char request[] = "GET /z HTTP/1.1\r\nHost: h\r\n\r\n";
    int fd;

    (void)state;
    web_use(web, HOST, 0);
    fd = connect_to(listening());
    for (int i = 0; i < 2; i++) {
        assert_int_equal(write(fd, request, strlen(request)), strlen(request));
        assert_non_null(strstr(read_answer(fd, "a page\n"), " 203 "));
    }
    close(fd);
}

static void without_memory_there_is_an_error(void **state) {
    const char *text;

    (void)state;
    has_memory = false;
    web_use(web, HOST, 0);
    text = ask("GET / HTTP/1.1\r\n" CLOSE "\r\n");
    assert_int_equal(strncmp(text, "HTTP/1.1 500 ", 13), 0);
    assert_non_null(strstr(text, "\r\n\r\nout of memory\n"));
}

static void listens_where_it_is_told_and_nowhere_else(void **state) {
    int port;

    (void)state;
    assert_int_equal(listening(), 0);
    web_use(web, NULL, 0);
    assert_int_equal(listening(), 0);
    web_use(web, HOST, 0);
    port = listening();
    assert_int_not_equal(port, 0);
    fake_log_clear();
    web_use(web, HOST, 0);
    assert_int_equal(listening(), port);
    assert_true(fake_log_is(""));
    web_use(web, NULL, 0);
    assert_int_equal(listening(), 0);
    web_use(web, HOST, 0);
    assert_int_not_equal(listening(), 0);
    assert_int_equal(
        strncmp(ask("GET / HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 203", 12), 0);
}

/* The port may be taken for a while, by nerve's predecessor for one. */
static void a_port_that_is_taken_is_told_once(void **state) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char line[200];

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, length), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    web_use(web, HOST, ntohs(at.sin_port));
    snprintf(line, sizeof(line),
             "error metrics_listen: cannot listen at " HOST " port %d: Address "
             "already in use; trying again\n",
             ntohs(at.sin_port));
    assert_true(fake_log_is(line));
    assert_true(uv_loop_alive(&loop)); /* for the next attempt */
    close(fd);
    web_use(web, HOST, 0);
    assert_int_not_equal(listening(), 0);
    assert_true(fake_log_is("info metrics_listen: 127.0.0.1 port 0\n"));
}

static void only_an_address_is_listened_at(void **state) {
    (void)state;
    web_use(web, "localhost", 1);
    assert_true(fake_log_is("error metrics_listen: cannot listen at localhost "
                            "port 1: Cannot assign requested address; trying "
                            "again\n"));
    assert_int_equal(listening(), 0);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_page_has_its_status_and_its_type),
        TEST(a_head_has_no_page),
        TEST(nothing_can_be_changed),
        TEST(a_connection_serves_several_requests),
        TEST(without_memory_there_is_an_error),
        TEST(listens_where_it_is_told_and_nowhere_else),
        TEST(a_port_that_is_taken_is_told_once),
        TEST(only_an_address_is_listened_at),
    };

    for (int fd = 0; fd < FDS_MAX; fd++)
        inherited[fd] = fcntl(fd, F_GETFD) != -1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
