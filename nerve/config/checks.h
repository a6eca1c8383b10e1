/* checks.h - one check of a service, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_CHECKS_H
#define NERVE_CONFIG_CHECKS_H

#include <jansson.h>

struct check_config;
struct config;
struct error;
struct service_config;

/* Reads the check <json>, which stands at the place <at>, into <check>
 * (zeroed); host and port come from <service> where it has none. Notes go to
 * <config>. Returns 0, or -1 with <err>; check_config_close() cleans up after
 * both. */
int check_config_read(struct check_config *check, const json_t *json,
                      const char *at, const struct service_config *service,
                      struct config *config, struct error *err);

#endif
