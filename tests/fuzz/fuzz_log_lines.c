/* fuzz_log_lines.c - fuzz of what becomes of the client library's log lines
 *
 * The clock goes on with each line, so that each one passes.
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
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

/* Cuts the cause that the module may have added off <text>. */
static void cut_cause(char *text) {
    size_t length = strlen(text);
    size_t added = strlen(CAUSE);

    if (length >= added && strcmp(text + length - added, CAUSE) == 0)
        text[length - added] = '\0';
}

/* Tells whether <text> can be what became of <line>: a part of it, for the
 * origin goes and so does what is too long; the parts of a socket's failure
 * also change places, and gain nothing. */
static bool is_from(const char *line, const char *text) {
    return strstr(line, text) ||
           (strstr(line, "Socket") && strlen(text) <= strlen(line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *line = strndup((const char *)data, size);
    struct queue *queue = queue_new(10);
    struct event *ev;

    fake_clock_pass_ms(1000);
    log_lines_to(queue);
    log_lines_take(line);
    ev = queue_pop(queue);
    assert(ev && ev->type == EVENT_LOG);
    assert(ev->level <= LEVEL_DEBUG && ev->length == strlen(ev->data));
    cut_cause(ev->data);
    assert(is_from(line, ev->data));
    assert(ev->level != LEVEL_ERROR || strstr(line, "ZOO_ERROR@"));
    event_free(ev);
    log_lines_stop(queue);
    queue_free(queue);
    free(line);
    return 0;
}
