/* checks.c - one check of a service, read from JSON: what it asks, and what it
 * takes for an answer
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csrc/base/text.h"
#include "nerve/config/checks.h"
#include "nerve/config/fields.h"
#include "nerve/config/model.h"
#include "nerve/config/reader.h"
#include "nerve/config/value.h"

#define STATUS_MIN   200 /* another answer follows one below this */
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

static void read_headers(struct reader *r, const json_t *json,
                         struct check_config *check) {
    const json_t *headers = value_object(r, json, "headers");
    const char *name, *string;
    size_t entered;
    json_t *value;

    check->headers = calloc(json_object_size(headers) + 1, sizeof(char *));
    if (!check->headers) {
        reader_no_memory(r, "headers");
        return;
    }
    entered = reader_enter(r, "headers");
    json_object_foreach((json_t *)headers, name, value) {
        string = json_string_value(value);
        if (!is_header(name, string)) {
            value_wrong(r, value, name,
                        "an HTTP header (a name, and a string of one line)");
            continue;
        }
        check->headers[check->header_count] = header_line(name, string);
        if (check->headers[check->header_count])
            check->header_count++;
        else
            reader_no_memory(r, NULL);
    }
    reader_leave(r, entered);
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

static void read_statuses(struct reader *r, const json_t *json,
                          struct check_config *check) {
    const json_t *list = value_list(r, json, "expect_status");
    size_t count = list ? json_array_size(list) : 1;

    if (count == 0) {
        value_wrong(r, list, "expect_status", "a list of at least one status");
        return;
    }
    check->statuses = calloc(count, sizeof(*check->statuses));
    if (!check->statuses) {
        reader_no_memory(r, "expect_status");
        return;
    }
    check->status_count = count;
    check->statuses[0] = (struct status_range){STATUS_MIN, DEFAULT_LAST};
    for (size_t i = 0; i < json_array_size(list); i++) {
        char key[60];

        snprintf(key, sizeof(key), "expect_status[%zu]", i);
        if (!read_range(json_array_get(list, i), &check->statuses[i]))
            value_wrong(r, json_array_get(list, i), key,
                        "a status or a range of them (204, or \"200-299\"; 200 "
                        "to 999)");
    }
}

/* open_timeout limits connecting, TLS included; read_timeout (or timeout)
 * limits the rest. Without an open_timeout, read_timeout limits all of it. */
static void add_timeouts(struct reader *r, const json_t *json,
                         struct check_config *check) {
    unsigned int tls_ms = 0;

    value_seconds(r, json, "ssl_timeout", &tls_ms);
    if (check->tls && check->connect_ms)
        check->connect_ms += tls_ms;
    check->timeout_ms += check->connect_ms;
}

static void check_method(struct reader *r, const json_t *json,
                         const struct check_config *check) {
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST",
                                          "PUT"};

    if (!check->method)
        return;
    if (check->expect && strcmp(check->method, "HEAD") == 0) {
        reader_fail(r, "expect", "the answer to HEAD has no body; use GET");
        return;
    }
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
        if (strcmp(check->method, methods[i]) == 0)
            return;
    value_wrong(r, json_object_get(json, "method"), "method",
                "a method (\"GET\", \"HEAD\", \"OPTIONS\", \"POST\" or "
                "\"PUT\")");
}

/* Refuses keys that make a check over TLS safe if the check has no TLS: the
 * author of the file relies on them. */
static void refuse_without_tls(struct reader *r, const json_t *json) {
    static const char *const keys[] = {"verify", "ca_file", "sni"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (json_object_get(json, keys[i]))
            reader_fail(r, keys[i], "needs \"ssl\": true beside it");
}

/* Who names authorities wants them asked: then verify is true. */
static void check_tls(struct reader *r, const json_t *json,
                      struct check_config *check) {
    const json_t *verify = json_object_get(json, "verify");

    if (!check->tls) {
        refuse_without_tls(r, json);
        return;
    }
    if (check->ca_file && (!verify || json_is_null(verify)))
        check->verify = true;
    if (check->ca_file && !check->verify)
        reader_fail(r, "ca_file", "needs \"verify\": true, or no verify");
    else if (check->ca_file && access(check->ca_file, R_OK) != 0)
        reader_fail(r, "ca_file", "%s: %s", check->ca_file, strerror(errno));
    if (check->sni && strpbrk(check->sni, "/:@?# "))
        value_wrong(r, json_object_get(json, "sni"), "sni", "a host's name");
}

static void check_uri(struct reader *r, const json_t *json,
                      const struct check_config *check) {
    if (check->uri && (check->uri[0] != '/' || strchr(check->uri, ' ')))
        value_wrong(r, json_object_get(json, "uri"), "uri",
                    "a path (begins with /, no spaces)");
}

static void read_http(struct reader *r, const json_t *json,
                      struct check_config *check,
                      const struct service_config *service) {
    (void)service;
    check_tls(r, json, check);
    check_uri(r, json, check);
    check_method(r, json, check);
    read_statuses(r, json, check);
    add_timeouts(r, json, check);
    read_headers(r, json, check);
}

static void read_grpc(struct reader *r, const json_t *json,
                      struct check_config *check,
                      const struct service_config *service) {
    (void)service;
    char right[60];

    check_tls(r, json, check);
    snprintf(right, sizeof(right), "a name of at most %d bytes",
             GRPC_SERVICE_MAX);
    if (check->service && strlen(check->service) > GRPC_SERVICE_MAX)
        value_wrong(r, json_object_get(json, "service"), "service", right);
}

/* nerve looks at the reports once in an interval, so it cannot see a shorter
 * silence. */
static void read_push(struct reader *r, const json_t *json,
                      struct check_config *check,
                      const struct service_config *service) {
    const json_t *ttl = json_object_get(json, "ttl");
    char right[120];

    snprintf(right, sizeof(right),
             "long enough; the check_interval of the service is %g seconds",
             service->check_interval_ms / 1000.0);
    if (!ttl)
        reader_fail(r, "ttl",
                    "missing; it must be the seconds for which the service may "
                    "be silent");
    else if (check->ttl_ms && check->ttl_ms < service->check_interval_ms)
        value_wrong(r, ttl, "ttl", right);
}

#define DEFAULT_TIMEOUT_MS 100

/* What a check sends to redis. QUIT ends the connection, so that an unexpected
 * answer fails the check at once. */
#define REDIS_SEND   "PING\r\nQUIT\r\n"
#define REDIS_EXPECT "+PONG"

/* What a command is; there is no shell that would split a string. */
#define COMMAND                                                                \
    "a list of strings, the program and its arguments "                        \
    "([\"/bin/sh\", \"-c\", \"...\"] is a shell)"

/* airbnb's nerve has a client of its own for this one. */
#define RABBITMQ                                                               \
    "{\"type\": \"tcp\", \"send\": \"nerve is here\\r\\n\", "                  \
    "\"expect\": \"AMQP\", \"timeout\": 2}"

/* Reads what the table of fields cannot of one type of check. */
typedef void read_fn(struct reader *r, const json_t *json,
                     struct check_config *check,
                     const struct service_config *service);

/* A word of "type". */
struct type {
    const char *name;
    enum check_kind kind;
    enum field_types types;
    read_fn *read; /* or NULL */
};

/* Copies <from> unless <*out> is set already. */
static void default_string(struct reader *r, char **out, const char *from) {
    if (!*out && from)
        *out = strdup(from);
    if (!*out && from)
        reader_no_memory(r, NULL);
}

static void read_redis(struct reader *r, const json_t *json,
                       struct check_config *check,
                       const struct service_config *service) {
    (void)service;
    (void)json;
    default_string(r, &check->send, REDIS_SEND);
    default_string(r, &check->expect, REDIS_EXPECT);
}

static bool is_command(const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_array_get(list, i)))
            return false;
    return json_string_length(json_array_get(list, 0)) > 0;
}

static void read_exec(struct reader *r, const json_t *json,
                      struct check_config *check,
                      const struct service_config *service) {
    (void)service;
    const json_t *list = json_object_get(json, "command");
    size_t count = json_array_size(list);

    if (!list) {
        reader_fail(r, "command", "missing; it must be " COMMAND);
        return;
    }
    if (!is_command(list)) {
        value_wrong(r, list, "command", COMMAND);
        return;
    }
    check->command = calloc(count + 1, sizeof(*check->command));
    for (size_t i = 0; check->command && i < count; i++) {
        check->command[i] = strdup(json_string_value(json_array_get(list, i)));
        if (!check->command[i])
            break;
    }
    if (!check->command || !check->command[count - 1])
        reader_no_memory(r, "command");
}

static const struct type types[] = {
    {"tcp", CHECK_TCP, OF_TCP, NULL},
    {"http", CHECK_HTTP, OF_HTTP, read_http},
    {"redis", CHECK_TCP, OF_REDIS, read_redis},
    {"grpc", CHECK_GRPC, OF_GRPC, read_grpc},
    {"exec", CHECK_EXEC, OF_EXEC, read_exec},
    {"noop", CHECK_NOOP, OF_NOOP, NULL},
    {"push", CHECK_PUSH, OF_PUSH, read_push},
};

#define TYPES                                                                  \
    "\"tcp\", \"http\", \"redis\", \"grpc\", \"exec\", "                       \
    "\"noop\" or \"push\""

/* Returns the type of the check <json>, or NULL after an error. */
static const struct type *find_type(struct reader *r, const json_t *json) {
    const json_t *value = json_object_get(json, "type");
    const char *name = json_string_value(value);

    for (size_t i = 0; name && i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(name, types[i].name) == 0)
            return &types[i];
    if (!value)
        reader_fail(r, "type", "missing; it must be " TYPES);
    else if (name && strcmp(name, "rabbitmq") == 0)
        reader_fail(r, "type", "rabbitmq is not supported; use " RABBITMQ);
    else
        value_wrong(r, value, "type", "a type of check (" TYPES ")");
    return NULL;
}

void check_config_read(struct reader *r, const json_t *json,
                       const struct service_config *service,
                       struct check_config *check) {
    const struct type *type;

    if (!json_is_object(json)) {
        reader_fail(r, NULL, "must be an object ({...})");
        return;
    }
    type = find_type(r, json);
    if (!type)
        return;
    check->kind = type->kind;
    check->port = service->port ? atoi(service->port) : 0;
    check->timeout_ms = DEFAULT_TIMEOUT_MS;
    check->rise = check->fall = 1;
    value_fields(r, json, config_fields_check, type->types, check);
    default_string(r, &check->name, type->name);
    default_string(r, &check->host, service->host);
    if (type->read)
        type->read(r, json, check, service);
    value_check_keys(r, json, config_fields_check, type->types);
}
