/* fuzz_log_lines.c - fuzz of what becomes of the client library's log lines
 *
 * The clock goes on with each line, so that each one passes.
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/zookeeper/client_log.h"

#include "tests/fake/fake_clock.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAUSE                                                                  \
    "; likely too many connections from this address (maxClientCnxns), or a "  \
    "server without a quorum"

/* Returns the length of what is left of <text> without the cause that the
 * module may have added. */
static size_t length_without_cause(const char *text) {
    size_t length = strlen(text);
    size_t added = strlen(CAUSE);

    if (length >= added && strcmp(text + length - added, CAUSE) == 0)
        return length - added;
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t kept;
    char *line = strndup((const char *)data, size);
    struct queue *queue = queue_new(10);
    struct event *ev;

    fake_clock_pass_ms(1000);
    log_lines_to(queue);
    log_lines_take(line);
    ev = queue_pop(queue);
    assert(ev && ev->type == EVENT_LOG);
    assert(ev->level <= LEVEL_DEBUG && ev->length == strlen(ev->data));
    kept = length_without_cause(ev->data);
    assert(kept <= strlen(line));
    assert(memcmp(ev->data, line + strlen(line) - kept, kept) == 0);
    assert(ev->level != LEVEL_ERROR || strstr(line, "ZOO_ERROR@"));
    event_free(ev);
    log_lines_stop(queue);
    queue_free(queue);
    free(line);
    return 0;
}
