/* checks.c - one check of a service, read from JSON
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/config/checks.h"
#include "nerve/config/keys.h"
#include "nerve/config/read.h"
#include "nerve/config/value.h"

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
    {"tcp", CHECK_TCP, read_tcp},     {"http", CHECK_HTTP, http_config_read},
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

void check_config_close(struct check_config *check) {
    for (size_t i = 0; i < check->header_count; i++)
        free(check->headers[i]);
    for (size_t i = 0; check->command && check->command[i]; i++)
        free(check->command[i]);
    free(check->command);
    free(check->headers);
    free(check->statuses);
    free(check->sni);
    free(check->ca_file);
    free(check->method);
    free(check->send);
    free(check->expect);
    free(check->uri);
    free(check->host);
    free(check->name);
}
