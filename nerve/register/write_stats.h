/* write_stats.h - counts the writes to ZooKeeper, and their results
 *
 * Pure: no clock, no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_WRITE_STATS_H
#define NERVE_REGISTER_WRITE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "nerve/measure/histogram.h"

struct event;

enum write_op { WRITE_CREATE = 0, WRITE_SET, WRITE_DELETE, WRITE_OPS };

struct writes {                       /* zeroed to start with */
    struct histogram took[WRITE_OPS]; /* from the request to its answer */
    uint64_t failures[WRITE_OPS];
};

/* Tells whether <ev> answers a write, and sets <*op> to its kind. */
bool writes_is_answer(const struct event *ev, enum write_op *op);

/* Counts <ev> if it answers a write. "Exists already" and "no node" are
 * ordinary answers, not failures. */
void writes_count(struct writes *w, const struct event *ev);

#endif
