/* show.h - a service's configuration without what may be a secret
 *
 * Pure, except that it allocates.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_SHOW_H
#define NERVE_CONFIG_SHOW_H

#include <jansson.h>

struct service_config;

/* Returns the parts of <service> that cannot be secret: a new reference, or
 * NULL without memory. */
json_t *config_redacted(const struct service_config *service);

#endif
