/* config_check.c - one check of a service, read from JSON
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/error.h"
#include "nerve/config.h"
#include "nerve/config_check.h"
#include "nerve/config_value.h"
#include "nerve/text.h"

#define DEFAULT_TIMEOUT_MS 100
#define STREAK_MAX         1000000

static const struct key tcp_keys[] = {
    {"type", KEY_USED},    {"name", KEY_USED},      {"host", KEY_USED},
    {"port", KEY_USED},    {"rise", KEY_USED},      {"fall", KEY_USED},
    {"timeout", KEY_USED}, {"module", KEY_IGNORED}, {NULL, KEY_USED},
};

static const struct key http_keys[] = {
    {"type", KEY_USED},         {"name", KEY_USED},
    {"host", KEY_USED},         {"port", KEY_USED},
    {"rise", KEY_USED},         {"fall", KEY_USED},
    {"timeout", KEY_USED},      {"open_timeout", KEY_USED},
    {"read_timeout", KEY_USED}, {"uri", KEY_USED},
    {"expect", KEY_USED},       {"headers", KEY_USED},
    {"ssl", KEY_USED},          {"ssl_timeout", KEY_IGNORED},
    {"module", KEY_IGNORED},    {NULL, KEY_USED},
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

/* A header's name is a token of RFC 9110; its value holds no line end. */
static bool is_header(const char *name, const char *value) {
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz";

    return *name && name[strspn(name, token)] == '\0' && value &&
           strpbrk(value, "\r\n") == NULL;
}

/* Makes the line that libcurl wants: a header without a value ends in ";". */
static char *header_line(const char *name, const char *value) {
    struct text line = {0};

    text_printf(&line, *value ? "%s: %s" : "%s;%s", name, value);
    return text_take(&line);
}

static int read_headers(struct check_config *check, const json_t *json,
                        const char *at, struct error *err) {
    const json_t *headers = NULL;
    const char *name;
    json_t *value;
    char **next;

    if (value_object(json, at, "headers", &headers, err) != 0)
        return -1;
    check->headers = calloc(json_object_size(headers) + 1, sizeof(char *));
    next = check->headers;
    json_object_foreach((json_t *)headers, name, value) {
        char place[512];

        snprintf(place, sizeof(place), "%s.headers", at);
        if (!is_header(name, json_string_value(value)))
            return value_wrong(value, place, name,
                               "an HTTP header (a name, and a string of one "
                               "line)",
                               err);
        if (next)
            *next++ = header_line(name, json_string_value(value));
        if (!next || !next[-1])
            break;
        check->header_count++;
    }
    if (check->header_count == json_object_size(headers) && check->headers)
        return 0;
    error_set(err, "%s.headers: out of memory", at);
    return -1;
}

/* open_timeout bounds the connecting, read_timeout (or timeout) what follows;
 * without an open_timeout all of it must fit into the second. */
static int read_timeouts(struct check_config *check, const json_t *json,
                         const char *at, struct error *err) {
    if (value_seconds(json, at, "read_timeout", &check->timeout_ms, err) != 0)
        return -1;
    if (value_seconds(json, at, "open_timeout", &check->connect_ms, err) != 0)
        return -1;
    check->timeout_ms += check->connect_ms;
    return 0;
}

static int read_http(struct check_config *check, const json_t *json,
                     const char *at, struct error *err) {
    bool ssl = false;

    if (value_boolean(json, at, "ssl", &ssl, err) != 0)
        return -1;
    if (ssl) {
        error_set(err,
                  "%s.ssl: checks over TLS are not supported; use a tcp "
                  "check, or http on another port",
                  at);
        return -1;
    }
    if (value_required_string(json, at, "uri", "a path such as \"/health\"",
                              &check->uri, err) != 0)
        return -1;
    if (check->uri[0] != '/' || strchr(check->uri, ' '))
        return value_wrong(json_object_get(json, "uri"), at, "uri",
                           "a path (begins with /, no spaces)", err);
    if (value_string(json, at, "expect", &check->expect, err) != 0)
        return -1;
    if (read_timeouts(check, json, at, err) != 0)
        return -1;
    return read_headers(check, json, at, err);
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
    if (check->kind == CHECK_HTTP && read_http(check, json, at, err) != 0)
        return -1;
    value_check_keys(config, json, at,
                     check->kind == CHECK_HTTP ? http_keys : tcp_keys);
    return 0;
}

void check_config_close(struct check_config *check) {
    for (size_t i = 0; i < check->header_count; i++)
        free(check->headers[i]);
    free(check->headers);
    free(check->expect);
    free(check->uri);
    free(check->host);
    free(check->name);
}
