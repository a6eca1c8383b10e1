/* payload.h - what a registration says and how its znode is named
 *
 * Both are byte for byte what airbnb's nerve writes. Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_PAYLOAD_H
#define NERVE_CONFIG_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The parts of a payload; all strings are borrowed. Those that end in _json
 * are JSON already, because the configuration's own types are published. */
struct payload {
    const char *host;
    const char *port_json;
    const char *name;         /* instance_id */
    int64_t weight;           /* -1: none */
    const char *options_json; /* haproxy_server_options, or NULL */
    const char *labels_json;  /* or NULL */
};

/* Returns the start of the payload, up to the name: what tells one instance
 * from another. Owned by the caller (free()), or NULL without memory. */
char *payload_identity(const struct payload *p);

/* Returns the whole payload, owned by the caller (free()), or NULL without
 * memory. */
char *payload_format(const struct payload *p);

/* Returns <payload>, which payload_format() made, with another weight, 0 or
 * more; <identity> is that of the same parts. Owned by the caller (free()), or
 * NULL without memory. */
char *payload_with_weight(const char *payload, const char *identity,
                          int64_t weight);

/* Tells whether <data> of <length> bytes is a payload of the instance that
 * payload_identity() gave <identity> for. */
bool payload_is_of(const char *data, size_t length, const char *identity);

/* Returns "<instance_id>_": the znode's name but for its sequence number.
 * Owned by the caller (free()), or NULL without memory. */
char *payload_node_name(const char *instance_id);

/* Returns the name that carries the whole payload, for use_path_encoding:
 * "base64_<length>_<base64>_"; above 65,536 characters of base64 it is the
 * plain name. Owned by the caller (free()), or NULL without memory. */
char *payload_encoded_node_name(const char *instance_id, const char *payload);

#endif
