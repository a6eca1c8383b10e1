/* process.h - how nerve itself is watched, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_PROCESS_H
#define NERVE_CONFIG_PROCESS_H

#include <jansson.h>

struct config;
struct error;

/* Reads metrics_listen and statsd into <config>. Returns 0, or -1 with <err>
 * naming the place at fault. */
int watching_config_read(struct config *config, const json_t *json,
                         struct error *err);

#endif
