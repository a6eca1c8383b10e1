/* fuzz_grpc_health.c - fuzz of what a grpc check makes of an answer
 *
 * The first byte says how the body is cut into parts, the second how many bytes
 * of the rest are headers.
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nerve/checks/grpc_health.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives a copy, so that a look beyond its end is seen. */
static void give_headers(struct grpc_answer *a, const uint8_t *from,
                         size_t size) {
    while (size > 0) {
        const uint8_t *line_end = memchr(from, '\n', size);
        size_t length = line_end ? (size_t)(line_end - from) + 1 : size;
        char *copy = malloc(length);

        memcpy(copy, from, length);
        grpc_answer_add_header(a, copy, length);
        free(copy);
        from += length;
        size -= length;
    }
}

static void give_body(struct grpc_answer *a, const uint8_t *from, size_t size,
                      size_t step) {
    bool room = true;

    while (room && size > 0) {
        size_t part = size < step ? size : step;
        char *copy = malloc(part);

        memcpy(copy, from, part);
        room = grpc_answer_add_body(a, copy, part);
        free(copy);
        from += part;
        size -= part;
    }
    assert(room != a->overflowed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct grpc_answer a = {.is_http2 = true, .status = 200};
    char reason[300] = "";
    size_t headers;
    bool serving;

    if (size < 2)
        return 0;
    headers = data[1] < size - 2 ? data[1] : size - 2;
    give_headers(&a, data + 2, headers);
    give_body(&a, data + 2 + headers, size - 2 - headers, data[0] + 1U);
    serving = grpc_answer_judge(&a, data[0] & 1 ? "web" : NULL, reason,
                                sizeof(reason));
    assert(serving == (reason[0] == '\0'));
    /* What is said fits in a line of the log. */
    for (const char *c = reason; *c; c++)
        assert(*c >= ' ' && *c <= '~');
    return 0;
}
