/* checks.h - one check of a service, read from JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_CHECKS_H
#define NERVE_CONFIG_CHECKS_H

#include <jansson.h>

struct check_config;
struct reader;
struct service_config;

/* Reads the check <json>, which stands at the reader's place, into <check>
 * (zeroed); host and port come from <service> if it has none.
 * check_config_close() cleans up, after errors too. */
void check_config_read(struct reader *r, const json_t *json,
                       const struct service_config *service,
                       struct check_config *check);

#endif
