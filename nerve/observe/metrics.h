/* metrics.h - what can be read about nerve while it runs: /metrics and /health
 *
 * Only looks at what others keep, and tells statsd. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OBSERVE_METRICS_H
#define NERVE_OBSERVE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "nerve/services/health.h"

struct config;
struct lateness;
struct log;
struct metrics;
struct services;
struct statsd;

/* Says what is not in order with a service that is in <state>, whose session is
 * <connected>, and whose registration is known to be there (<registered>) and
 * to be as wanted (<settled>). Returns NULL if all is, else a static text.
 * Pure. */
const char *health_trouble(enum health_state state, bool connected,
                           bool registered, bool settled);

/* Returns one that shows nothing yet; keeps all that it is given borrowed.
 * Owned by the caller, or NULL without memory. */
struct metrics *metrics_new(uv_loop_t *loop, struct log *log,
                            const struct lateness *late);

/* Returns what tells statsd; borrowed until metrics_close(). */
struct statsd *metrics_statsd(struct metrics *t);

/* Shows <services>, which it keeps borrowed, and tells, where <config> says;
 * nerve starts. */
void metrics_start(struct metrics *t, const struct services *services,
                   const struct config *config);

/* The configuration was read again: it is <config> now, or it is refused
 * (NULL). */
void metrics_reload(struct metrics *t, const struct config *config);

/* nerve stops; ends and frees <t>, in a later turn of the loop. NULL is
 * allowed. */
void metrics_close(struct metrics *t);

#endif
