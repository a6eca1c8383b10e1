/* fuzz_payload.c - fuzz of nerve/config/payload.c and nerve/config/json_text.c:
 * what they write is read back as it was
 *
 * An input is a host, a NUL, a name, a NUL, and labels.
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "nerve/config/payload.h"
#include "nerve/config/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *next_part(const uint8_t **data, size_t *size) {
    char *part = strndup((const char *)*data, *size);
    size_t used = strlen(part);

    used += used < *size;
    *data += used;
    *size -= used;
    return part;
}

/* Returns the labels as nerve would publish them, or NULL. */
static char *labels_of(const char *text) {
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    char *written = json ? json_text(json) : NULL;
    json_t *again;

    if (!json)
        return NULL;
    assert(written);
    again = json_loads(written, JSON_DECODE_ANY, NULL);
    assert(again && json_equal(json, again));
    json_decref(again);
    json_decref(json);
    return written;
}

static bool is_text(const char *text) {
    json_t *json = json_string(text);
    bool good = json != NULL;

    json_decref(json);
    return good;
}

/* What was written says the same as the parts. */
static void check_written(const struct payload *parts, const char *written) {
    json_t *json = json_loads(written, 0, NULL);

    assert(json);
    assert(strcmp(json_string_value(json_object_get(json, "host")),
                  parts->host) == 0);
    assert(strcmp(json_string_value(json_object_get(json, "name")),
                  parts->name) == 0);
    assert(json_integer_value(json_object_get(json, "weight")) ==
           parts->weight);
    json_decref(json);
}

static void check_names(const struct payload *parts, const char *written) {
    char *encoded = payload_encoded_node_name(parts->name, written);
    size_t digits = (strlen(written) + 2) / 3 * 4;

    assert(encoded && encoded[strlen(encoded) - 1] == '_');
    if (digits <= 65536) {
        const char *start = strchr(encoded + strlen("base64_"), '_');

        assert((size_t)atol(encoded + strlen("base64_")) == digits);
        assert(strlen(start) == digits + 2);
        assert(strspn(start + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz"
                                 "0123456789-_=") == digits + 1);
    }
    free(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *host = next_part(&data, &size);
    char *name = next_part(&data, &size);
    char *text = next_part(&data, &size);
    char *labels = labels_of(text);
    struct payload parts = {.host = host,
                            .port_json = "80",
                            .name = name,
                            .weight = (int64_t)strlen(name),
                            .labels_json = labels};
    char *identity = payload_identity(&parts);
    char *written = payload_format(&parts);

    assert(payload_is_of(written, strlen(written), identity));
    if (is_text(host) && is_text(name))
        check_written(&parts, written);
    check_names(&parts, written);
    free(written);
    free(identity);
    free(labels);
    free(text);
    free(name);
    free(host);
    return 0;
}
