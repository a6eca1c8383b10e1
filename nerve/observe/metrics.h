/* metrics.h - what can be read about nerve while it runs: /metrics and /health
 *
 * Only looks at what others keep. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OBSERVE_METRICS_H
#define NERVE_OBSERVE_METRICS_H

#include <stdint.h>

#include "nerve/measure/histogram.h"
#include "nerve/observe/http_server.h"

struct lateness;
struct roster;
struct statsd;

/* What is shown; all borrowed. */
struct metrics {
    const struct roster *roster;
    const struct lateness *late;
    const struct statsd *statsd;
    struct histogram loop_lag; /* how late the loop came to its timers */
    uint64_t reloads;          /* that were carried out */
    uint64_t refused_reloads;
};

/* Returns the page <path> of the struct metrics <arg>; its body is owned by the
 * caller. */
struct web_page metrics_page(void *arg, const char *path);

#endif
