/* http.c - what an http check asks, and what it takes for an answer
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
#include "nerve/config/read.h"
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

int http_config_read(struct check_config *check, const json_t *json,
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
