/* write_stats.h - counts what is written to ZooKeeper, and how that goes
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

/* Tells whether <ev> answers a write; if so <*op> is which. */
bool writes_is_answer(const struct event *ev, enum write_op *op);

/* Counts <ev>, if it answers a write. That a znode was there already, or was
 * gone, is an answer as good as any and no failure. */
void writes_count(struct writes *w, const struct event *ev);

#endif
