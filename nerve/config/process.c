/* process.c - the settings of nerve as a whole, read from JSON: its
 * credentials, its control socket, and the addresses for metrics
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "nerve/config/fields.h"
#include "nerve/config/model.h"
#include "nerve/config/process.h"
#include "nerve/config/reader.h"
#include "nerve/config/value.h"

#define PASSWORD_MAX 1024
#define OTHERS       (S_IWGRP | S_IRWXO)

static const char creator_acl[] = "creator:all,world:read";

/* Tells why <fd> may not be the file of a password, or NULL. */
static const char *find_fault(int fd) {
    struct stat about;

    if (fstat(fd, &about) != 0)
        return strerror(errno);
    if (!S_ISREG(about.st_mode))
        return "is not a regular file";
    if (about.st_mode & OTHERS)
        return "may be read or written by others; chmod it to 0600 or 0640";
    return NULL;
}

/* Cuts the end of the line. Tells whether what is left can be a password. */
static bool is_password(char *text, ssize_t length) {
    if (length > PASSWORD_MAX)
        return false;
    text[length] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    return *text != '\0';
}

/* Makes the credentials of <user> and the password in the file <path>. */
static void read_password(struct reader *r, const char *user,
                          const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *fault = fd < 0 ? strerror(errno) : find_fault(fd);
    char password[PASSWORD_MAX + 2];
    ssize_t length = fault ? -1 : read(fd, password, PASSWORD_MAX + 1);

    if (!fault && length < 0)
        fault = strerror(errno);
    if (!fault && !is_password(password, length))
        fault = "must hold a password in its first line, of at most 1024 "
                "bytes";
    if (!fault && asprintf(&r->config->auth, "%s:%s", user, password) < 0) {
        r->config->auth = NULL;
        fault = "out of memory";
    }
    if (fd >= 0)
        close(fd);
    explicit_bzero(password, sizeof(password));
    if (fault)
        reader_fail(r, "password_file", "%.300s: %s", path, fault);
}

static void read_auth(struct reader *r, const json_t *json) {
    const json_t *auth = value_object(r, json, "auth");
    char *user = NULL, *path = NULL;
    size_t entered;

    if (!auth)
        return;
    entered = reader_enter(r, "auth");
    value_required_string(r, auth, "user", "the name of a user", &user);
    value_required_string(r, auth, "password_file",
                          "the path of a file that holds the password", &path);
    if (user && strchr(user, ':'))
        value_wrong(r, json_object_get(auth, "user"), "user",
                    "a name without a colon");
    else if (user && path)
        read_password(r, user, path);
    value_check_keys(r, auth, config_fields_auth, 0);
    reader_leave(r, entered);
    free(path);
    free(user);
}

static void read_acl(struct reader *r, const json_t *json) {
    const json_t *value = json_object_get(json, "acl");
    const json_t *auth = json_object_get(json, "auth");
    const char *acl = json_string_value(value);

    if (!value || json_is_null(value) || (acl && strcmp(acl, "open") == 0))
        return;
    if (!acl || strcmp(acl, creator_acl) != 0)
        value_wrong(r, value, "acl", "\"open\" or \"creator:all,world:read\"");
    else if (!auth || json_is_null(auth))
        reader_fail(r, "acl",
                    "\"%s\" needs auth: without it there is no "
                    "creator",
                    creator_acl);
    r->config->creator_acl = r->config->auth != NULL;
}

#define SOCKET_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static void check_control_socket(struct reader *r) {
    const char *path = r->config->control_socket;

    if (path && strlen(path) > SOCKET_MAX)
        reader_fail(r, "control_socket",
                    "longer than %zu bytes, which no path of a socket can be",
                    SOCKET_MAX);
}

static void check_holds_path(struct reader *r, const json_t *json) {
    const json_t *value = json_object_get(json, "holds_path");
    const char *path = r->config->holds_path;

    if (r->config->control_socket && (!value || json_is_null(value)))
        reader_fail(r, "holds_path",
                    "missing; with control_socket it must be a file that keeps "
                    "what is disabled over a restart");
    if (path && path[strlen(path) - 1] == '/')
        value_wrong(r, value, "holds_path", "a file's path (it ends with /)");
}

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

static void read_listen(struct reader *r, const json_t *json) {
    const json_t *value = json_object_get(json, "metrics_listen");
    struct endpoint *at = &r->config->metrics;

    if (!value || json_is_null(value))
        return;
    if (json_is_integer(value)) {
        value_port(r, json, "metrics_listen", &at->port);
        at->host = strdup(LOOPBACK);
        if (!at->host)
            reader_no_memory(r, "metrics_listen");
    } else if (!json_is_string(value) ||
               split(json_string_value(value), at) != 0) {
        value_wrong(r, value, "metrics_listen", LISTEN);
    }
}

static void read_statsd(struct reader *r, const json_t *json) {
    const json_t *statsd = value_object(r, json, "statsd");
    struct endpoint *to = &r->config->statsd;
    size_t entered;

    if (!statsd)
        return;
    entered = reader_enter(r, "statsd");
    to->port = STATSD_PORT;
    value_fields(r, statsd, config_fields_statsd, 0, to);
    value_check_keys(r, statsd, config_fields_statsd, 0);
    if (!to->host)
        to->host = strdup(STATSD_HOST);
    if (!to->host)
        reader_no_memory(r, NULL);
    reader_leave(r, entered);
}

void process_config_read(struct reader *r, const json_t *json) {
    check_control_socket(r);
    check_holds_path(r, json);
    read_listen(r, json);
    read_statsd(r, json);
    read_auth(r, json);
    read_acl(r, json);
}
