/* fuzz_tcp_answer.c - fuzz of how a tcp check looks for a text in an answer
 *
 * The first byte says how the answer is cut into parts. The check has the very
 * file in it, because what is looked at is its own.
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>

#include "nerve/checks/tcp.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ended, passed;

enum check_result check_result_of(int error) {
    (void)error;
    return CHECK_FAILED;
}

void check_attempt_ended(struct check *c, enum check_result result,
                         const char *reason) {
    bool good = result == CHECK_PASSED;

    (void)c;
    assert(!ended && good == !reason);
    assert(good || strlen(reason) < 200);
    ended = true;
    passed = good;
}

void check_attempt_refused(struct check *c, int error, const char *reason) {
    (void)c;
    (void)error;
    (void)reason;
    assert(false); /* it is connected */
}

/* Gives the answer in parts of <step> bytes, as long as the check reads.
 * Returns how much was given. */
static size_t give(struct attempt *a, const char *answer, size_t size,
                   size_t step) {
    size_t given = 0;

    while (given < size && !ended) {
        size_t part = size - given < step ? size - given : step;

        /* A copy, so that a look beyond its end is seen. */
        char *copy = malloc(part);
        uv_buf_t buffer = uv_buf_init(copy, (unsigned int)part);
        memcpy(copy, answer + given, part);
        on_read((uv_stream_t *)&a->tcp, (ssize_t)part, &buffer);
        free(copy);
        given += part;
    }
    return given;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct check_config config = {.expect = (char *)"OK"};
    struct tcp_check t = {.base.config = &config};
    const char *answer = (const char *)data + 1;
    uv_loop_t loop;
    struct attempt *a = calloc(1, sizeof(*a));
    size_t given, seen;
    uv_buf_t none = {0};

    if (size < 1 || uv_loop_init(&loop) != 0) {
        free(a);
        return 0;
    }
    uv_tcp_init(&loop, &a->tcp);
    a->tcp.data = a;
    a->owner = &t;
    t.attempt = a;
    ended = passed = false;
    given = give(a, answer, size - 1, data[0] + 1U);
    seen = given < ANSWER_MAX ? given : ANSWER_MAX;
    if (!ended)
        on_read((uv_stream_t *)&a->tcp, UV_EOF, &none);
    assert(ended);
    assert(passed == (memmem(answer, seen, "OK", 2) != NULL));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert(uv_loop_close(&loop) == 0);
    return 0;
}
