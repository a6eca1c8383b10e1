/* fuzz_http_body.c - fuzz of how an http check looks for a text in an answer
 *
 * The first byte says how the answer is cut into parts. The check has the very
 * file in it, because what is looked at is its own.
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "nerve/checks/http.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives the answer in parts of <step> bytes. Returns how much was given. */
static size_t give(struct http_check *h, const char *answer, size_t size,
                   size_t step) {
    size_t given = 0;

    while (given < size) {
        size_t part = size - given < step ? size - given : step;
        size_t taken;

        /* A copy, so that a look beyond its end is seen. */
        char *copy = malloc(part);
        memcpy(copy, answer + given, part);
        taken = on_body(copy, 1, part, h);
        free(copy);
        given += part;
        if (taken != part)
            break;
    }
    return given;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct check_config config = {.expect = (char *)"OK"};
    struct http_check h = {.base.config = &config};
    const char *answer = (const char *)data + 1;
    size_t given, seen;

    if (size < 1)
        return 0;
    given = give(&h, answer, size - 1, data[0] + 1U);
    seen = given < BODY_MAX ? given : BODY_MAX;
    assert(h.received == seen && h.body.length == seen);
    assert(has_expected(&h) == (memmem(answer, seen, "OK", 2) != NULL));
    assert(given == size - 1 || seen == BODY_MAX || has_expected(&h));
    text_close(&h.body);
    return 0;
}
