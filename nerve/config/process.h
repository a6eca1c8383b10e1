/* process.h - what is set for nerve as a whole, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_PROCESS_H
#define NERVE_CONFIG_PROCESS_H

#include <stdbool.h>

#include <jansson.h>

struct config;
struct error;

/* Reads metrics_listen and statsd into <config>. Returns 0, or -1 with <err>
 * naming the place at fault. */
int watching_config_read(struct config *config, const json_t *json,
                         struct error *err);

/* Reads the members "auth" and "acl" of the whole configuration <json> into
 * <config>. No message holds anything of the password's file. Returns 0, or -1
 * with <err>. */
int config_auth_read(struct config *config, const json_t *json,
                     struct error *err);

/* Reads control_socket from <json>, the whole configuration, into <path>, owned
 * by the caller; it stays NULL if there is none. Returns 0, or -1 with
 * <err>. */
int config_control_socket(const json_t *json, char **path, struct error *err);

/* The same for holds_path, which must be there if <needed>. */
int config_holds_path(const json_t *json, bool needed, char **path,
                      struct error *err);

#endif
