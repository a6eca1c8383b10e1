/* queue.h - hand events from ZooKeeper's threads to one reader thread
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_QUEUE_H
#define CSRC_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct queue;

/* Called when the queue turns from empty to not empty, on the thread that
 * pushed and under the queue's lock: must not block, must not call the queue.
 */
typedef void queue_wake_fn(void *arg);

/* Returns a queue that holds at most <limit> watch and log events, owned by
 * the caller, or NULL without memory. Past the limit such events are dropped
 * and one EVENT_OVERFLOW is queued in their place; replies are never dropped,
 * because sessions bound them. */
struct queue *queue_new(size_t limit);

/* Frees <q> and its events. No thread may push any more. NULL is allowed. */
void queue_free(struct queue *q);

/* Returns a number above 0 that this queue has not given out before (or four
 * billion numbers ago): names of sessions and requests, so that an event tells
 * what it belongs to. Reader thread. */
uint32_t queue_number(struct queue *q);

/* Sets what wakes the reader; keeps <arg> borrowed until the next call.
 * NULL sets none. When the queue is not empty, <wake> is called at once.
 * Reader thread. */
void queue_set_wake(struct queue *q, queue_wake_fn *wake, void *arg);

/* Appends <ev>. Takes <ev>; NULL (no memory for it) counts as an overflow.
 * Any thread. */
void queue_push(struct queue *q, struct event *ev);

/* Returns the oldest event, owned by the caller, or NULL. Reader thread. */
struct event *queue_pop(struct queue *q);

/* Waits until an event is there or <timeout_ms> milliseconds have passed;
 * returns whether one is there. For programs without a loop; never call it on
 * a HAProxy thread. Reader thread. */
bool queue_wait(struct queue *q, int timeout_ms);

#endif
