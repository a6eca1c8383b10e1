/* service.h - one service, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_SERVICE_H
#define NERVE_CONFIG_SERVICE_H

#include <jansson.h>

struct error;
struct reader;
struct service_config;

/* Reads the service <name> from <json>, which stands at the reader's place,
 * into <service> (zeroed), for the instance_id of the reader's configuration.
 * service_config_close() cleans up, after errors too. */
void service_config_read(struct reader *r, const char *name, const json_t *json,
                         struct service_config *service);

/* Reads the checks of <service>, which has none, out of what it keeps for
 * comparison. Returns 0, or -1 with <err>. */
int service_config_restore_checks(struct service_config *service,
                                  struct error *err);

#endif
