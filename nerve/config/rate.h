/* rate.h - a service's rate_limiting, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_RATE_H
#define NERVE_CONFIG_RATE_H

#include <jansson.h>

struct config;
struct error;
struct rate_config;

/* Reads the member "rate_limiting" of the service <json>, which stands at the
 * place <at>, into <rate> (zeroed). Notes go to <config>. Returns 0, or -1
 * with <err>. */
int rate_config_read(struct rate_config *rate, const json_t *json,
                     const char *at, struct config *config, struct error *err);

#endif
