/* process.h - the settings of nerve as a whole, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_PROCESS_H
#define NERVE_CONFIG_PROCESS_H

#include <jansson.h>

struct reader;

/* Reads metrics_listen, statsd, auth and acl of <json>, the whole document,
 * into the reader's configuration, and checks what value_fields() read into it
 * before. No message has any part of the password's file. */
void process_config_read(struct reader *r, const json_t *json);

#endif
