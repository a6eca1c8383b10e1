/* checks.c - one check of a service, read from JSON: what it asks, and what it
 * takes for an answer
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/checks.h"
#include "nerve/config/keys.h"
#include "nerve/config/model.h"
#include "nerve/config/value.h"

#define STATUS_MIN   200 /* those below are never the last word */
#define STATUS_MAX   999
#define DEFAULT_LAST 399 /* as airbnb's nerve */

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

/* Reads 204, or "200-299". Returns whether it is one of these. */
static bool read_range(const json_t *value, struct status_range *range) {
    const char *string = json_string_value(value);
    json_int_t number = json_integer_value(value);
    int length = 0;

    if (json_is_integer(value) && number <= STATUS_MAX)
        range->first = range->last = number < 0 ? 0 : (int)number;
    else if (!string || strspn(string, "0123456789-") != 7 ||
             sscanf(string, "%3d-%3d%n", &range->first, &range->last,
                    &length) != 2 ||
             length != 7 || string[length])
        return false;
    return range->first >= STATUS_MIN && range->first <= range->last &&
           range->last <= STATUS_MAX;
}

static int read_statuses(struct check_config *check, const json_t *json,
                         const char *at, struct error *err) {
    const json_t *list = NULL;
    size_t count;

    if (value_list(json, at, "expect_status", &list, err) != 0)
        return -1;
    count = list ? json_array_size(list) : 1;
    if (count == 0)
        return value_wrong(list, at, "expect_status",
                           "a list of at least one status", err);
    check->statuses = calloc(count, sizeof(*check->statuses));
    if (!check->statuses) {
        error_set(err, "%s.expect_status: out of memory", at);
        return -1;
    }
    check->status_count = count;
    check->statuses[0] = (struct status_range){STATUS_MIN, DEFAULT_LAST};
    for (size_t i = 0; i < json_array_size(list); i++) {
        char key[60];

        snprintf(key, sizeof(key), "expect_status[%zu]", i);
        if (!read_range(json_array_get(list, i), &check->statuses[i]))
            return value_wrong(json_array_get(list, i), at, key,
                               "a status or a range of them (204, or "
                               "\"200-299\"; 200 to 999)",
                               err);
    }
    return 0;
}

/* open_timeout bounds the connecting, to which TLS belongs, and read_timeout
 * (or timeout) what follows; without an open_timeout all of it must fit into
 * the second. */
static int read_timeouts(struct check_config *check, const json_t *json,
                         const char *at, struct error *err) {
    unsigned int tls_ms = 0;

    if (value_seconds(json, at, "read_timeout", &check->timeout_ms, err) != 0)
        return -1;
    if (value_seconds(json, at, "open_timeout", &check->connect_ms, err) != 0)
        return -1;
    if (value_seconds(json, at, "ssl_timeout", &tls_ms, err) != 0)
        return -1;
    if (check->tls && check->connect_ms)
        check->connect_ms += tls_ms;
    check->timeout_ms += check->connect_ms;
    return 0;
}

static int read_method(struct check_config *check, const json_t *json,
                       const char *at, struct error *err) {
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST",
                                          "PUT"};

    if (value_string(json, at, "method", &check->method, err) != 0)
        return -1;
    if (!check->method)
        return 0;
    if (check->expect && strcmp(check->method, "HEAD") == 0) {
        error_set(err, "%s.expect: the answer to HEAD has no body; use GET",
                  at);
        return -1;
    }
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
        if (strcmp(check->method, methods[i]) == 0)
            return 0;
    return value_wrong(json_object_get(json, "method"), at, "method",
                       "a method (\"GET\", \"HEAD\", \"OPTIONS\", \"POST\" or "
                       "\"PUT\")",
                       err);
}

/* Refuses keys that are meant to make a check over TLS safe where there is no
 * TLS: somebody relies on them. */
static int refuse_without_tls(const json_t *json, const char *at,
                              struct error *err) {
    static const char *const keys[] = {"verify", "ca_file", "sni"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        if (!json_object_get(json, keys[i]))
            continue;
        error_set(err, "%s.%s: needs \"ssl\": true beside it", at, keys[i]);
        return -1;
    }
    return 0;
}

/* A file of authorities is there to be used: with one, verify is true. */
static int read_tls(struct check_config *check, const json_t *json,
                    const char *at, struct error *err) {
    if (value_boolean(json, at, "ssl", &check->tls, err) != 0)
        return -1;
    if (!check->tls)
        return refuse_without_tls(json, at, err);
    if (value_string(json, at, "ca_file", &check->ca_file, err) != 0 ||
        value_string(json, at, "sni", &check->sni, err) != 0)
        return -1;
    check->verify = check->ca_file != NULL;
    if (value_boolean(json, at, "verify", &check->verify, err) != 0)
        return -1;
    if (check->ca_file && !check->verify) {
        error_set(err, "%s.ca_file: needs \"verify\": true, or no verify", at);
        return -1;
    }
    if (check->ca_file && access(check->ca_file, R_OK) != 0) {
        error_set(err, "%s.ca_file: %s: %s", at, check->ca_file,
                  strerror(errno));
        return -1;
    }
    if (check->sni && strpbrk(check->sni, "/:@?# "))
        return value_wrong(json_object_get(json, "sni"), at, "sni",
                           "a host's name", err);
    return 0;
}

static int read_uri(struct check_config *check, const json_t *json,
                    const char *at, struct error *err) {
    if (value_required_string(json, at, "uri", "a path such as \"/health\"",
                              &check->uri, err) != 0)
        return -1;
    if (check->uri[0] == '/' && !strchr(check->uri, ' '))
        return 0;
    return value_wrong(json_object_get(json, "uri"), at, "uri",
                       "a path (begins with /, no spaces)", err);
}

static int read_http(struct check_config *check, const json_t *json,
                     const char *at, struct config *config, struct error *err) {
    if (read_tls(check, json, at, err) != 0 ||
        read_uri(check, json, at, err) != 0 ||
        value_string(json, at, "expect", &check->expect, err) != 0 ||
        read_method(check, json, at, err) != 0 ||
        read_statuses(check, json, at, err) != 0 ||
        read_timeouts(check, json, at, err) != 0 ||
        read_headers(check, json, at, err) != 0)
        return -1;
    value_check_keys(config, json, at, config_keys_http);
    return 0;
}

#define DEFAULT_TIMEOUT_MS 100
#define STREAK_MAX         1000000

/* What is said to redis. QUIT ends the connection, so that an answer other
 * than the expected one is told at once. */
#define REDIS_SEND   "PING\r\nQUIT\r\n"
#define REDIS_EXPECT "+PONG"

/* What a command is; there is no shell that would split a string. */
#define COMMAND                                                                \
    "a list of strings, the program and its arguments "                        \
    "([\"/bin/sh\", \"-c\", \"...\"] is a shell)"

/* airbnb's nerve has a client of its own for this one. */
#define RABBITMQ                                                               \
    "{\"type\": \"exec\", \"command\": [\"rabbitmq-diagnostics\", \"-q\", "    \
    "\"ping\"], \"timeout\": 10}"

/* Reads what only one type of check has, and notes the keys it has not. */
typedef int read_fn(struct check_config *check, const json_t *json,
                    const char *at, struct config *config, struct error *err);

/* A word of "type". */
struct type {
    const char *name;
    enum check_kind kind;
    read_fn *read;
};

/* Copies a string of any characters, if it is there. */
static int read_text(const json_t *json, const char *at, const char *key,
                     char **out, struct error *err) {
    const json_t *value = json_object_get(json, key);
    const char *string = json_string_value(value);

    if (!value || json_is_null(value))
        return 0;
    if (!string || !*string)
        return value_wrong(value, at, key, "a string, not empty", err);
    *out = strdup(string);
    if (*out)
        return 0;
    error_set(err, "%s.%s: out of memory", at, key);
    return -1;
}

static int read_tcp(struct check_config *check, const json_t *json,
                    const char *at, struct config *config, struct error *err) {
    if (read_text(json, at, "send", &check->send, err) != 0 ||
        read_text(json, at, "expect", &check->expect, err) != 0)
        return -1;
    value_check_keys(config, json, at, config_keys_tcp);
    return 0;
}

static int read_redis(struct check_config *check, const json_t *json,
                      const char *at, struct config *config,
                      struct error *err) {
    value_check_keys(config, json, at, config_keys_redis);
    check->send = strdup(REDIS_SEND);
    check->expect = strdup(REDIS_EXPECT);
    if (check->send && check->expect)
        return 0;
    error_set(err, "%s: out of memory", at);
    return -1;
}

static bool is_command(const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_array_get(list, i)))
            return false;
    return json_string_length(json_array_get(list, 0)) > 0;
}

static int read_exec(struct check_config *check, const json_t *json,
                     const char *at, struct config *config, struct error *err) {
    const json_t *list = json_object_get(json, "command");
    size_t count = json_array_size(list);

    if (!list) {
        error_set(err, "%s.command: missing; it must be " COMMAND, at);
        return -1;
    }
    if (!is_command(list))
        return value_wrong(list, at, "command", COMMAND, err);
    check->command = calloc(count + 1, sizeof(*check->command));
    for (size_t i = 0; check->command && i < count; i++) {
        check->command[i] = strdup(json_string_value(json_array_get(list, i)));
        if (!check->command[i])
            break;
    }
    if (!check->command || !check->command[count - 1]) {
        error_set(err, "%s.command: out of memory", at);
        return -1;
    }
    value_check_keys(config, json, at, config_keys_exec);
    return 0;
}

static int read_noop(struct check_config *check, const json_t *json,
                     const char *at, struct config *config, struct error *err) {
    (void)check;
    (void)err;
    value_check_keys(config, json, at, config_keys_noop);
    return 0;
}

static const struct type types[] = {
    {"tcp", CHECK_TCP, read_tcp},     {"http", CHECK_HTTP, read_http},
    {"redis", CHECK_TCP, read_redis}, {"exec", CHECK_EXEC, read_exec},
    {"noop", CHECK_NOOP, read_noop},
};

#define TYPES "\"tcp\", \"http\", \"redis\", \"exec\" or \"noop\""

/* Returns the type of the check <json>, or NULL with <err>. */
static const struct type *find_type(const json_t *json, const char *at,
                                    struct error *err) {
    const json_t *value = json_object_get(json, "type");
    const char *name = json_string_value(value);

    if (!value) {
        error_set(err, "%s.type: missing; it must be " TYPES, at);
        return NULL;
    }
    for (size_t i = 0; name && i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(name, types[i].name) == 0)
            return &types[i];
    if (name && strcmp(name, "rabbitmq") == 0)
        error_set(err, "%s.type: rabbitmq is not supported; use " RABBITMQ, at);
    value_wrong(value, at, "type", "a type of check (" TYPES ")", err);
    return NULL;
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
static int read_common(struct check_config *check, const struct type *type,
                       const json_t *json, const char *at,
                       const struct service_config *service,
                       struct error *err) {
    check->kind = type->kind;
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
    if (default_string(&check->name, type->name, at, err) != 0)
        return -1;
    return default_string(&check->host, service->host, at, err);
}

int check_config_read(struct check_config *check, const json_t *json,
                      const char *at, const struct service_config *service,
                      struct config *config, struct error *err) {
    const struct type *type;

    if (!json_is_object(json)) {
        error_set(err, "%s: must be an object ({...})", at);
        return -1;
    }
    type = find_type(json, at, err);
    if (!type || read_common(check, type, json, at, service, err) != 0)
        return -1;
    return type->read(check, json, at, config, err);
}
