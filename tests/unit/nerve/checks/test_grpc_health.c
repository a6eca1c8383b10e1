/* test_grpc_health.c - tests of nerve/checks/grpc_health.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/checks/grpc_health.h"

static void a_request_names_one_service_or_none(void **state) {
    static const unsigned char whole[] = {0, 0, 0, 0, 0};
    static const unsigned char web[] = {0, 0, 0, 0, 5, 10, 3, 'w', 'e', 'b'};
    unsigned char out[GRPC_REQUEST_MAX];
    char longest[GRPC_SERVICE_MAX + 1];

    (void)state;
    assert_int_equal(grpc_request_write(NULL, out), sizeof(whole));
    assert_memory_equal(out, whole, sizeof(whole));
    assert_int_equal(grpc_request_write("web", out), sizeof(web));
    assert_memory_equal(out, web, sizeof(web));
    memset(longest, 'x', GRPC_SERVICE_MAX);
    longest[GRPC_SERVICE_MAX] = '\0';
    assert_int_equal(grpc_request_write(longest, out), sizeof(out));
    /* 258 bytes follow: the field, its length of 255 in two bytes, the name. */
    assert_memory_equal(out, "\0\0\0\1\2\n\xff\1xx", 10);
    assert_int_equal(out[sizeof(out) - 1], 'x');
}

static void a_name_of_128_bytes_has_a_length_of_two(void **state) {
    unsigned char out[GRPC_REQUEST_MAX];
    char name[129];

    (void)state;
    memset(name, 'x', 128);
    name[128] = '\0';
    assert_int_equal(grpc_request_write(name, out), 5 + 3 + 128);
    assert_memory_equal(out, "\0\0\0\0\x83\n\x80\1x", 9);
    name[127] = '\0';
    assert_int_equal(grpc_request_write(name, out), 5 + 2 + 127);
    assert_memory_equal(out, "\0\0\0\0\x81\n\x7fx", 8);
}

/* An answer: its headers and trailers as lines, and <length> bytes. */
static struct grpc_answer answer(const char *lines, const char *bytes,
                                 size_t length) {
    struct grpc_answer a = {.is_http2 = true, .status = 200};

    while (*lines) {
        size_t line = strcspn(lines, "\n") + 1;

        grpc_answer_add_header(&a, lines, line);
        lines += line;
    }
    grpc_answer_add_body(&a, bytes, length);
    return a;
}

#define GOOD "content-type: application/grpc\r\ngrpc-status: 0\r\n"

static void assert_serving(const char *lines, const char *bytes,
                           size_t length) {
    struct grpc_answer a = answer(lines, bytes, length);
    char reason[300] = "";

    assert_true(grpc_answer_judge(&a, NULL, reason, sizeof(reason)));
    assert_string_equal(reason, "");
}

static void assert_judged(const struct grpc_answer *a, const char *service,
                          const char *wanted) {
    char reason[300] = "";

    assert_false(grpc_answer_judge(a, service, reason, sizeof(reason)));
    assert_string_equal(reason, wanted);
}

static void assert_refused(const char *lines, const char *bytes, size_t length,
                           const char *wanted) {
    struct grpc_answer a = answer(lines, bytes, length);

    assert_judged(&a, "web", wanted);
}

static void serving_passes(void **state) {
    (void)state;
    assert_serving(GOOD, "\0\0\0\0\2\x08\1", 7);
    assert_serving("Content-Type: application/grpc+proto\r\n"
                   "GRPC-Status:0\r\n",
                   "\0\0\0\0\2\x08\1", 7);
    assert_serving("content-type: application/grpc; charset=utf-8\r\n"
                   "grpc-status: 0\r\n",
                   "\0\0\0\0\2\x08\1", 7);
    /* Fields that it does not know, of every type, and the last status. */
    assert_serving(GOOD,
                   "\0\0\0\0\x1b"
                   "\x08\2"
                   "\x10\xff\1"
                   "\x19"
                   "12345678"
                   "\x22\3"
                   "abc"
                   "\x2d"
                   "1234"
                   "\x08\x81\0",
                   5 + 27);
}

static void what_the_server_says_is_told(void **state) {
    static const struct {
        const char *message, *wanted;
        size_t length;
    } cases[] = {
        {"", "UNKNOWN", 0},
        {"\x08\0", "UNKNOWN", 2},
        {"\x08\2", "NOT_SERVING", 2},
        {"\x08\3", "SERVICE_UNKNOWN: the server has no service \"web\"", 2},
        {"\x08\4", "status 4 is not one of grpc.health.v1", 2},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1",
         "status 18446744073709551615 is not one of grpc.health.v1", 11},
    };
    char bytes[40];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        memset(bytes, 0, sizeof(bytes));
        bytes[4] = (char)cases[i].length;
        memcpy(bytes + 5, cases[i].message, cases[i].length);
        assert_refused(GOOD, bytes, 5 + cases[i].length, cases[i].wanted);
    }
}

static void a_refusal_of_grpc_is_told_with_its_cause(void **state) {
#define REFUSED(STATUS) "content-type: application/grpc\r\n" STATUS
    struct grpc_answer a;

    (void)state;
    assert_refused(REFUSED("grpc-status: 12\r\n"), "", 0,
                   "grpc-status 12 (UNIMPLEMENTED): the server does not have "
                   "grpc.health.v1.Health");
    assert_refused(REFUSED("grpc-status: 5\r\ngrpc-message: unknown\r\n"), "",
                   0,
                   "grpc-status 5 (NOT_FOUND): the server has no service "
                   "\"web\"");
    a = answer(REFUSED("grpc-status: 5\r\n"), "", 0);
    assert_judged(
        &a, NULL,
        "grpc-status 5 (NOT_FOUND): the server says nothing of itself "
        "as a whole; name one of its services in \"service\"");
    assert_refused(
        REFUSED("grpc-status: 14\r\ngrpc-message: no\x1b[1m disk\r\n"), "", 0,
        "grpc-status 14 (UNAVAILABLE): no?[1m disk");
    assert_refused(REFUSED("grpc-status: 16\r\n"), "", 0,
                   "grpc-status 16 (UNAUTHENTICATED)");
    assert_refused(REFUSED("grpc-status: 17\r\n"), "", 0,
                   "grpc-status 17 (no status of gRPC)");
    assert_refused(REFUSED("grpc-status: -1\r\n"), "", 0,
                   "grpc-status \"-1\" is not a number");
    assert_refused(REFUSED("grpc-status: 0x\r\n"), "", 0,
                   "grpc-status \"0x\" is not a number");
}

static void what_is_no_answer_of_grpc_is_told_with_its_cause(void **state) {
    struct grpc_answer a = answer(GOOD, "\0\0\0\0\2\x08\1", 7);

    (void)state;
    a.status = 404;
    assert_judged(&a, NULL,
                  "status 404; a gRPC server answers 200: another server, or a "
                  "proxy, answers here");
    a.is_http2 = false;
    assert_judged(&a, NULL,
                  "the server answers in HTTP/1, and gRPC needs HTTP/2");
    assert_refused("content-type: text/html\r\ngrpc-status: 0\r\n", "", 0,
                   "content-type \"text/html\", not application/grpc: no gRPC "
                   "server answers here");
    assert_refused("content-type: application/grpc-web\r\n", "", 0,
                   "content-type \"application/grpc-web\", not "
                   "application/grpc: no gRPC server answers here");
    assert_refused("content-type: application/grpc\r\n", "\0\0\0\0\2\x08\1", 7,
                   "no grpc-status in the trailers: the answer is cut off, or "
                   "a proxy removes them");
}

static void a_damaged_message_is_told_with_its_cause(void **state) {
    (void)state;
    assert_refused(GOOD, "", 0, "grpc-status 0, but no message");
    assert_refused(GOOD, "\0\0", 2, "a message begins with 5 bytes; 2 came");
    assert_refused(GOOD, "\1\0\0\0\2\x08\1", 7,
                   "the message is compressed, which was not asked for");
    assert_refused(GOOD, "\2\0\0\0\2\x08\1", 7,
                   "the message's flag is 2, not 0 or 1");
    assert_refused(GOOD, "\0\0\0\0\2\x08", 6,
                   "the message is cut off: 1 of its 2 bytes");
    assert_refused(GOOD, "\0\xff\xff\xff\xff\x08\1", 7,
                   "the message is cut off: 2 of its 4294967295 bytes");
    assert_refused(GOOD, "\0\0\0\0\2\x08\1\0\0", 9,
                   "2 bytes behind the message of 2 bytes");
}

static void what_is_no_health_answer_is_said_to_be_none(void **state) {
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"\x08", 1},                                        /* no value */
        {"\x08\x80", 2},                                    /* it goes on */
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\0", 11}, /* too long */
        {"\x22\5ab", 4},                                    /* cut off */
        {"\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11}, /* the same */
        {"\x19"
         "1234567",
         8},
        {"\x0b", 1},   /* a group */
        {"\0\0", 2},   /* field 0 */
        {"\x0f\1", 2}, /* a type that does not exist */
    };
    char bytes[40];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        memset(bytes, 0, sizeof(bytes));
        bytes[4] = (char)cases[i].length;
        memcpy(bytes + 5, cases[i].bytes, cases[i].length);
        assert_refused(GOOD, bytes, 5 + cases[i].length,
                       "the message is no answer of grpc.health.v1.Health");
    }
}

static void no_more_is_kept_than_there_is_room_for(void **state) {
    struct grpc_answer a = answer(GOOD, "", 0);
    unsigned char much[100];
    char line[400];

    (void)state;
    memset(much, 0, sizeof(much));
    assert_true(grpc_answer_add_body(&a, much, sizeof(much)));
    assert_true(grpc_answer_add_body(&a, much, sizeof(much)));
    assert_true(grpc_answer_add_body(&a, much, 56));
    assert_int_equal(a.length, 256);
    assert_false(grpc_answer_add_body(&a, much, 1));
    assert_judged(&a, NULL,
                  "the answer is longer than 256 bytes; one of "
                  "grpc.health.v1.Health has 7");
    memset(line, 'x', sizeof(line));
    memcpy(line, "grpc-message:", 13);
    grpc_answer_add_header(&a, line, sizeof(line));
    assert_int_equal(strlen(a.words), sizeof(a.words) - 1);
    grpc_answer_add_header(&a, "grpc-message", 12);
    assert_int_equal(strlen(a.words), sizeof(a.words) - 1);
    grpc_answer_add_header(&a, "grpc-message: \r\n", 16);
    assert_string_equal(a.words, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_names_one_service_or_none),
        cmocka_unit_test(a_name_of_128_bytes_has_a_length_of_two),
        cmocka_unit_test(serving_passes),
        cmocka_unit_test(what_the_server_says_is_told),
        cmocka_unit_test(a_refusal_of_grpc_is_told_with_its_cause),
        cmocka_unit_test(what_is_no_answer_of_grpc_is_told_with_its_cause),
        cmocka_unit_test(a_damaged_message_is_told_with_its_cause),
        cmocka_unit_test(what_is_no_health_answer_is_said_to_be_none),
        cmocka_unit_test(no_more_is_kept_than_there_is_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
