/* json_text.h - a JSON value as Ruby's JSON.generate writes it
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_JSON_TEXT_H
#define NERVE_CONFIG_JSON_TEXT_H

#include <jansson.h>

/* Returns <value> as compact JSON, members in their order; owned by the caller
 * (free()), or NULL without memory. */
char *json_text(const json_t *value);

#endif
