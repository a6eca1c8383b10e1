/* service.h - one service, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_SERVICE_H
#define NERVE_CONFIG_SERVICE_H

#include <jansson.h>

struct config;
struct error;
struct service_config;

/* Reads the service <name> from <json> into <service> (zeroed), for the
 * instance_id of <config>, which also takes the notes. Returns 0, or -1 with
 * <err>; service_config_close() cleans up after both. */
int service_config_read(struct service_config *service, const char *name,
                        const json_t *json, struct config *config,
                        struct error *err);

/* Reads the checks of <service>, which has none, out of what it keeps for
 * comparison. Returns 0, or -1 with <err>. */
int service_config_restore_checks(struct service_config *service,
                                  struct error *err);

#endif
