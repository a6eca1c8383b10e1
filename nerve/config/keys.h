/* keys.h - the keys that a configuration may have, and their fates
 *
 * README.md has them too; a test holds the two equal.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_KEYS_H
#define NERVE_CONFIG_KEYS_H

#include "nerve/config/value.h"

/* Each ends with a NULL name. */
extern const struct key config_keys_top[];
extern const struct key config_keys_statsd[];
extern const struct key config_keys_service[];
extern const struct key config_keys_auth[];
extern const struct key config_keys_rate[];
extern const struct key config_keys_tcp[];
extern const struct key config_keys_http[];
extern const struct key config_keys_redis[];
extern const struct key config_keys_exec[];
extern const struct key config_keys_noop[];

#endif
