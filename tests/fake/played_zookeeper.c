/* played_zookeeper.c - plays ZooKeeper's part for one reporter
 *
 * Included by a test after fake_session.c, which has the requests.
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>

#include "nerve/register/reporter.h"

#define PAYLOAD "{\"host\":\"h\",\"port\":80,\"name\":\"i\",\"weight\":1}"

static char name[] = "web", path[] = "/a/b", node[] = "i_";
static char payload[] = PAYLOAD;
static char identity[] = "{\"host\":\"h\",\"port\":80,\"name\":\"i\"";

static struct reporter *reporter;
static int64_t now = 100000;

static inline int close_reporter(void **state) {
    (void)state;
    reporter_free(reporter);
    return 0;
}

static void tell(enum session_state state, enum session_link link) {
    struct event ev = {.type = EVENT_SESSION, .state = state, .link = link};

    reporter_absorb(reporter, &ev, now);
}

/* Answers the last request. */
static void answer_with(struct event ev) {
    ev.type = EVENT_REPLY;
    ev.request = (uint64_t)fake_request_number;
    reporter_absorb(reporter, &ev, now);
}

static void answer(int code, const char *at) {
    answer_with((struct event){.code = code, .path = (char *)at});
}

/* Fires a watch. */
static inline void fire(enum event_change change, const char *at) {
    struct event ev = {
        .type = EVENT_WATCH, .change = change, .path = (char *)at};

    reporter_absorb(reporter, &ev, now);
}
