/* telemetry.h - how nerve itself is watched: metrics, statsd, wired
 *
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OBSERVE_TELEMETRY_H
#define NERVE_OBSERVE_TELEMETRY_H

#include <uv.h>

struct config;
struct lateness;
struct log;
struct roster;
struct statsd;
struct telemetry;

/* Returns one that shows nothing yet; keeps all that it is given borrowed.
 * Owned by the caller, or NULL without memory. */
struct telemetry *telemetry_new(uv_loop_t *loop, struct log *log,
                                const struct lateness *late);

/* Returns what tells statsd; borrowed until telemetry_close(). */
struct statsd *telemetry_statsd(struct telemetry *t);

/* Shows <roster>, which it keeps borrowed, and tells, where <config> says;
 * nerve starts. */
void telemetry_start(struct telemetry *t, const struct roster *roster,
                     const struct config *config);

/* The configuration was read anew: it is <config> now, or it is refused
 * (NULL). */
void telemetry_reload(struct telemetry *t, const struct config *config);

/* nerve stops; ends and frees <t>, in a later turn of the loop. NULL is
 * allowed. */
void telemetry_close(struct telemetry *t);

#endif
