/* auth.h - what is shown to ZooKeeper, and who may write, from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_AUTH_H
#define NERVE_CONFIG_AUTH_H

#include <jansson.h>

struct config;
struct error;

/* Reads the members "auth" and "acl" of the whole configuration <json> into
 * <config>. No message holds anything of the password's file. Returns 0, or -1
 * with <err>. */
int config_auth_read(struct config *config, const json_t *json,
                     struct error *err);

#endif
