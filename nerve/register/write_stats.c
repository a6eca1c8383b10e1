/* write_stats.c - counts the writes to ZooKeeper, and their results
 * SPDX-License-Identifier: MIT
 */
#include "nerve/register/write_stats.h"
#include "csrc/base/event.h"
#include "csrc/zookeeper/session.h"

bool writes_is_answer(const struct event *ev, enum write_op *op) {
    if (ev->type != EVENT_REPLY)
        return false;
    switch (ev->op) {
    case OP_CREATE:
        *op = WRITE_CREATE;
        return true;
    case OP_SET:
        *op = WRITE_SET;
        return true;
    case OP_DELETE:
        *op = WRITE_DELETE;
        return true;
    default:
        return false;
    }
}

static bool is_failure(int code) {
    return code != SESSION_OK && code != SESSION_NO_NODE &&
           code != SESSION_NODE_EXISTS && code != SESSION_BAD_VERSION;
}

void writes_count(struct writes *w, const struct event *ev) {
    enum write_op op;

    if (!writes_is_answer(ev, &op))
        return;
    histogram_add(&w->took[op], (uint64_t)(ev->time_us - ev->asked_us));
    w->failures[op] += is_failure(ev->code);
}
