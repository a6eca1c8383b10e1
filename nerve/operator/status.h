/* status.h - what nerve knows of its services, for people and programs
 *
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_STATUS_H
#define NERVE_OPERATOR_STATUS_H

#include <jansson.h>

struct holds;
struct services;

/* Returns all services and <holds> as JSON, a new reference, or NULL without
 * memory. Holds of services that are not configured have a list of their
 * own. */
json_t *status_json(const struct services *services, const struct holds *holds);

/* Returns the same, and how each service is configured and what nerve runs on,
 * for reports of trouble. What may be a secret (texts that are sent or
 * expected, headers, arguments of programs, paths of
 * requests) is left out. */
json_t *status_dump(const struct services *services, const struct holds *holds);

#endif
