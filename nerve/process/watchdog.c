/* watchdog.c - ends the process if its loop hangs
 *
 *   loop thread  all functions of watchdog.h, and on_turn()
 *   worker       watch_loop(), which shares <turns> and <limit> with them
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "csrc/base/worker.h"
#include "nerve/log.h"
#include "nerve/process/watchdog.h"

#define LOOK_MS 250

struct watchdog {
    struct worker *worker; /* owned; its one job is watch_loop() */
    const struct log *log; /* borrowed */
    uv_timer_t timer;
    atomic_uint turns; /* of the loop */
    atomic_uint limit; /* so many looks without a turn end the process */
    int end_fd;        /* owned; readable once the watch is over */
};

bool watchdog_look(struct watch *w, unsigned int turns, unsigned int limit) {
    w->still = w->turns == turns ? w->still + 1 : 0;
    w->turns = turns;
    return w->still >= limit;
}

/* Worker thread. */
static void watch_loop(void *data) {
    struct watchdog *w = data;
    struct pollfd end = {.fd = w->end_fd, .events = POLLIN};
    struct watch watch = {.turns = atomic_load(&w->turns)};

    while (poll(&end, 1, LOOK_MS) <= 0) {
        unsigned int limit = atomic_load(&w->limit);

        if (!watchdog_look(&watch, atomic_load(&w->turns), limit))
            continue;
        log_last_words(w->log,
                       "the loop has not turned for %u s: ending, so that the "
                       "sessions end and nothing stays registered unchecked",
                       limit * LOOK_MS / 1000);
        abort();
    }
}

static void on_turn(uv_timer_t *timer) {
    struct watchdog *w = timer->data;

    atomic_fetch_add(&w->turns, 1);
}

static void keep(void *data) { (void)data; }

struct watchdog *watchdog_new(uv_loop_t *loop, struct log *log,
                              unsigned int seconds) {
    struct watchdog *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->log = log;
    w->worker = worker_new();
    w->end_fd = eventfd(0, EFD_CLOEXEC);
    watchdog_use(w, seconds);
    if (!w->worker || w->end_fd < 0 ||
        worker_run(w->worker, watch_loop, keep, w) != 0) {
        worker_free(w->worker);
        if (w->end_fd >= 0)
            close(w->end_fd);
        free(w);
        return NULL;
    }
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    uv_timer_start(&w->timer, on_turn, LOOK_MS, LOOK_MS);
    return w;
}

void watchdog_use(struct watchdog *w, unsigned int seconds) {
    if (w)
        atomic_store(&w->limit, seconds * 1000 / LOOK_MS);
}

static void on_closed(uv_handle_t *timer) { free(timer->data); }

void watchdog_close(struct watchdog *w) {
    if (!w)
        return;
    eventfd_write(w->end_fd, 1);
    worker_free(w->worker);
    close(w->end_fd);
    uv_close((uv_handle_t *)&w->timer, on_closed);
}
