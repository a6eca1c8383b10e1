/* control.h - where nerve is controlled, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_CONTROL_H
#define NERVE_CONFIG_CONTROL_H

#include <stdbool.h>

#include <jansson.h>

struct error;

/* Reads control_socket from <json>, the whole configuration, into <path>, owned
 * by the caller; it stays NULL if there is none. Returns 0, or -1 with
 * <err>. */
int config_control_socket(const json_t *json, char **path, struct error *err);

/* The same for holds_path, which must be there if <needed>. */
int config_holds_path(const json_t *json, bool needed, char **path,
                      struct error *err);

#endif
