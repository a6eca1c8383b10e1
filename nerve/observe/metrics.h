/* metrics.h - what nerve shows while it runs: /metrics and /health
 *
 * Only reads the state of other parts, and sends it to statsd. Loop thread
 * only.
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

/* Returns what is wrong with a service, a static text, or NULL if nothing is.
 * The service is in <state>, and its session is <connected>; its registration
 * is known to exist (<registered>) and to be as wanted (<settled>). Pure. */
const char *health_trouble(enum health_state state, bool connected,
                           bool registered, bool settled);

/* Returns metrics that show nothing yet. Keeps the arguments borrowed. Owned by
 * the caller, or NULL without memory. */
struct metrics *metrics_new(uv_loop_t *loop, struct log *log,
                            const struct lateness *late);

/* Returns the sender to statsd; borrowed until metrics_close(). */
struct statsd *metrics_statsd(struct metrics *t);

/* nerve starts: shows <services>, which it keeps borrowed, at the addresses
 * that <config> names. */
void metrics_start(struct metrics *t, const struct services *services,
                   const struct config *config);

/* The configuration was read again: it is <config> now, or it was rejected
 * (NULL). */
void metrics_reload(struct metrics *t, const struct config *config);

/* nerve stops. Ends and frees <t>, in a later turn of the loop. NULL is
 * allowed. */
void metrics_close(struct metrics *t);

#endif
