/* worker.h - one thread for what may block: closing handles, writing files
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_WORKER_H
#define CSRC_BASE_WORKER_H

#include <stdbool.h>

struct worker;

/* Runs on the worker's thread. Takes <data>. */
typedef void worker_fn(void *data);

/* Returns a worker without a thread yet, owned by the caller, or NULL without
 * memory. The thread starts with the first job, so that a worker made before
 * a fork works after it. */
struct worker *worker_new(void);

/* Lets queued jobs end, joins the thread and frees <w>. NULL is allowed. Never
 * on a HAProxy thread while it serves traffic. */
void worker_free(struct worker *w);

/* Starts the thread now, unless it runs. Returns 0, or the error of
 * pthread_create. Loop thread. */
int worker_start(struct worker *w);

/* Queues <run>(<data>). Takes <data>. Returns 0, or -1 with errno when the
 * thread cannot be started; <data> is then handed to <discard> (which frees it)
 * on the caller's thread. Loop thread. */
int worker_run(struct worker *w, worker_fn *run, worker_fn *discard,
               void *data);

/* Returns the number of jobs that have not ended yet. Any thread. */
int worker_pending(struct worker *w);

/* Proves that <count> threads (1 to 8) can be alive at once, by starting and
 * ending them with all signals blocked. Returns 0, or the error of
 * pthread_create. Any thread. */
int worker_probe_threads(int count);

/* Blocks all signals of the calling thread around <call>(<arg>), so that
 * threads which <call> starts never take a signal meant for the program. */
void worker_without_signals(void (*call)(void *arg), void *arg);

#endif
