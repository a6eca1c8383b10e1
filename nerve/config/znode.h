/* znode.h - where a service is registered, and as what, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_ZNODE_H
#define NERVE_CONFIG_ZNODE_H

#include <jansson.h>

struct config;
struct error;
struct service_config;

/* Reads the ensemble, the path and the type of znode of <service> from <json>,
 * which stands at the place <at>. Notes go to <config>. Returns 0, or -1 with
 * <err>. */
int config_znode_read(struct service_config *service, const json_t *json,
                      const char *at, struct config *config, struct error *err);

#endif
