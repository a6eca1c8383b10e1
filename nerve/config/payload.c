/* payload.c - what a registration says and how its znode is named
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "csrc/base/text.h"
#include "nerve/config/payload.h"

/* Longest base64 text that airbnb's nerve puts into a name. */
#define ENCODED_MAX 65536

static void add_identity(struct text *t, const struct payload *p) {
    text_puts(t, "{\"host\":");
    text_json(t, p->host, strlen(p->host));
    text_printf(t, ",\"port\":%s,\"name\":", p->port_json);
    text_json(t, p->name, strlen(p->name));
}

char *payload_identity(const struct payload *p) {
    struct text t = {0};

    add_identity(&t, p);
    return text_take(&t);
}

char *payload_format(const struct payload *p) {
    struct text t = {0};

    add_identity(&t, p);
    if (p->weight >= 0)
        text_printf(&t, ",\"weight\":%" PRId64, p->weight);
    if (p->options_json)
        text_printf(&t, ",\"haproxy_server_options\":%s", p->options_json);
    if (p->labels_json)
        text_printf(&t, ",\"labels\":%s", p->labels_json);
    text_puts(&t, "}");
    return text_take(&t);
}

char *payload_with_weight(const char *payload, const char *identity,
                          int64_t weight) {
    static const char key[] = ",\"weight\":";
    const char *rest = payload + strlen(identity);
    struct text t = {0};

    if (strncmp(rest, key, sizeof(key) - 1) == 0) {
        rest += sizeof(key) - 1;
        rest += strspn(rest, "0123456789");
    }
    text_printf(&t, "%s%s%" PRId64 "%s", identity, key, weight, rest);
    return text_take(&t);
}

bool payload_is_of(const char *data, size_t length, const char *identity) {
    size_t head = strlen(identity);

    return length > head && memcmp(data, identity, head) == 0 &&
           (data[head] == ',' || data[head] == '}');
}

char *payload_node_name(const char *instance_id) {
    struct text t = {0};

    text_printf(&t, "%s_", instance_id);
    return text_take(&t);
}

/* Appends one to three bytes as four characters of URL-safe base64. */
static void add_base64_group(struct text *t, const char *bytes, size_t count) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;

    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < count ? (unsigned char)bytes[i] : 0);
    for (size_t i = 0; i < 4; i++) {
        char digit = digits[bits >> (18 - 6 * i) & 63];

        text_add(t, i <= count ? &digit : "=", 1);
    }
}

char *payload_encoded_node_name(const char *instance_id, const char *payload) {
    size_t length = strlen(payload);
    size_t encoded = (length + 2) / 3 * 4;
    struct text t = {0};

    if (encoded > ENCODED_MAX)
        return payload_node_name(instance_id);
    text_printf(&t, "base64_%zu_", encoded);
    for (size_t i = 0; i < length; i += 3)
        add_base64_group(&t, payload + i, length - i < 3 ? length - i : 3);
    text_puts(&t, "_");
    return text_take(&t);
}
