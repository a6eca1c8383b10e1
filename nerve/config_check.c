/* config_check.c - one check of a service, read from JSON
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/error.h"
#include "nerve/config.h"
#include "nerve/config_check.h"
#include "nerve/config_value.h"

#define DEFAULT_TIMEOUT_MS 100
#define STREAK_MAX         1000000

static const struct key tcp_keys[] = {
    {"type", KEY_USED},    {"name", KEY_USED},      {"host", KEY_USED},
    {"port", KEY_USED},    {"rise", KEY_USED},      {"fall", KEY_USED},
    {"timeout", KEY_USED}, {"module", KEY_IGNORED}, {NULL, KEY_USED},
};

static int read_kind(struct check_config *check, const json_t *json,
                     const char *at, struct error *err) {
    const json_t *type = json_object_get(json, "type");
    const char *name = json_string_value(type);

    if (!type) {
        error_set(err, "%s.type: missing; it must be \"tcp\" or \"http\"", at);
        return -1;
    }
    if (name && strcmp(name, "tcp") == 0)
        check->kind = CHECK_TCP;
    else if (name && strcmp(name, "http") == 0)
        check->kind = CHECK_HTTP;
    else
        return value_wrong(type, at, "type",
                           "a type of check (\"tcp\" or \"http\")", err);
    return 0;
}

/* Copies <from> unless <*out> is set already. */
static int default_string(char **out, const char *from, const char *at,
                          struct error *err) {
    if (!*out)
        *out = strdup(from);
    if (*out)
        return 0;
    error_set(err, "%s: out of memory", at);
    return -1;
}

/* Reads what all types of checks have. */
static int read_common(struct check_config *check, const json_t *json,
                       const char *at, const struct service_config *service,
                       struct error *err) {
    const char *kind = check->kind == CHECK_TCP ? "tcp" : "http";

    check->port = atoi(service->port);
    check->timeout_ms = DEFAULT_TIMEOUT_MS;
    check->rise = check->fall = 1;
    if (value_string(json, at, "name", &check->name, err) != 0 ||
        value_string(json, at, "host", &check->host, err) != 0 ||
        value_port(json, at, "port", &check->port, err) != 0 ||
        value_count(json, at, "rise", 1, STREAK_MAX, &check->rise, err) != 0 ||
        value_count(json, at, "fall", 1, STREAK_MAX, &check->fall, err) != 0 ||
        value_seconds(json, at, "timeout", &check->timeout_ms, err) != 0)
        return -1;
    if (default_string(&check->name, kind, at, err) != 0)
        return -1;
    return default_string(&check->host, service->host, at, err);
}

int check_config_read(struct check_config *check, const json_t *json,
                      const char *at, const struct service_config *service,
                      struct config *config, struct error *err) {
    if (!json_is_object(json)) {
        error_set(err, "%s: must be an object ({...})", at);
        return -1;
    }
    if (read_kind(check, json, at, err) != 0 ||
        read_common(check, json, at, service, err) != 0)
        return -1;
    if (check->kind == CHECK_HTTP)
        return http_config_read(check, json, at, config, err);
    value_check_keys(config, json, at, tcp_keys);
    return 0;
}

void check_config_close(struct check_config *check) {
    for (size_t i = 0; i < check->header_count; i++)
        free(check->headers[i]);
    free(check->headers);
    free(check->statuses);
    free(check->sni);
    free(check->ca_file);
    free(check->method);
    free(check->expect);
    free(check->uri);
    free(check->host);
    free(check->name);
}
