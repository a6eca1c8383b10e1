/* process.c - how nerve itself is watched, read from JSON
 * SPDX-License-Identifier: MIT
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/config/keys.h"
#include "nerve/config/process.h"
#include "nerve/config/read.h"
#include "nerve/config/value.h"

#define LOOPBACK    "127.0.0.1"
#define STATSD_HOST "localhost"
#define STATSD_PORT 8125

#define LISTEN                                                                 \
    "a port, or an address and a port (\"127.0.0.1:9292\", \"[::1]:9292\")"

/* Reads a port in digits. Returns it, or -1. */
static int port_of(const char *digits) {
    int port = atoi(digits);

    if (strlen(digits) > 5 || strspn(digits, "0123456789") != strlen(digits))
        return -1;
    return port >= 1 && port <= 65535 ? port : -1;
}

/* Only an address needs no name server, which may be away. */
static bool is_address(const char *host) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;

    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

/* Splits "host:port" or "[host]:port"; a port alone is on the loopback. */
static int split(const char *text, struct endpoint *out) {
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;

    if (!colon)
        out->host = strdup(LOOPBACK);
    else if (length > 2 && text[0] == '[' && text[length - 1] == ']')
        out->host = strndup(text + 1, length - 2);
    else if (!memchr(text, ':', length))
        out->host = strndup(text, length);
    out->port = port_of(colon ? colon + 1 : text);
    return out->host && out->port > 0 && is_address(out->host) ? 0 : -1;
}

static int read_listen(struct config *config, const json_t *json,
                       struct error *err) {
    const json_t *value = json_object_get(json, "metrics_listen");

    if (!value || json_is_null(value))
        return 0;
    if (json_is_string(value) &&
        split(json_string_value(value), &config->metrics) == 0)
        return 0;
    if (json_is_integer(value)) {
        if (value_port(json, "", "metrics_listen", &config->metrics.port,
                       err) != 0)
            return -1;
        config->metrics.host = strdup(LOOPBACK);
        if (config->metrics.host)
            return 0;
        error_set(err, "metrics_listen: out of memory");
        return -1;
    }
    return value_wrong(value, "", "metrics_listen", LISTEN, err);
}

static int read_statsd(struct config *config, const json_t *json,
                       struct error *err) {
    struct endpoint *to = &config->statsd;
    const json_t *statsd = NULL;

    if (value_object(json, "", "statsd", &statsd, err) != 0)
        return -1;
    if (!statsd)
        return 0;
    to->port = STATSD_PORT;
    if (value_string(statsd, "statsd", "host", &to->host, err) != 0 ||
        value_port(statsd, "statsd", "port", &to->port, err) != 0)
        return -1;
    value_check_keys(config, statsd, "statsd", config_keys_statsd);
    if (!to->host)
        to->host = strdup(STATSD_HOST);
    if (to->host)
        return 0;
    error_set(err, "statsd: out of memory");
    return -1;
}

int watching_config_read(struct config *config, const json_t *json,
                         struct error *err) {
    if (read_listen(config, json, err) != 0)
        return -1;
    return read_statsd(config, json, err);
}
