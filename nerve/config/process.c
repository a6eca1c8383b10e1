/* process.c - what is set for nerve as a whole, read from JSON: what it shows
 * to ZooKeeper, where it is controlled and watched
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

#include "csrc/base/error.h"
#include "nerve/config/keys.h"
#include "nerve/config/model.h"
#include "nerve/config/process.h"
#include "nerve/config/value.h"

#define PASSWORD_MAX 1024
#define FILE_KEY     "auth.password_file"
#define OTHERS       (S_IWGRP | S_IRWXO)

static const char creator_acl[] = "creator:all,world:read";

static int refuse(const char *path, const char *why, struct error *err) {
    error_set(err, FILE_KEY ": %.300s: %s", path, why);
    return -1;
}

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
static int read_password(struct config *config, const char *user,
                         const char *path, struct error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *fault = fd < 0 ? strerror(errno) : find_fault(fd);
    char password[PASSWORD_MAX + 2];
    ssize_t length = fault ? -1 : read(fd, password, PASSWORD_MAX + 1);

    if (!fault && length < 0)
        fault = strerror(errno);
    if (!fault && !is_password(password, length))
        fault = "must hold a password in its first line, of at most 1024 "
                "bytes";
    if (!fault && asprintf(&config->auth, "%s:%s", user, password) < 0) {
        config->auth = NULL;
        fault = "out of memory";
    }
    if (fd >= 0)
        close(fd);
    explicit_bzero(password, sizeof(password));
    return fault ? refuse(path, fault, err) : 0;
}

static int read_auth(struct config *config, const json_t *json,
                     struct error *err) {
    char *user = NULL, *path = NULL;
    const json_t *auth = NULL;
    int status = value_object(json, "", "auth", &auth, err);

    if (status != 0 || !auth)
        return status;
    status = -1;
    value_check_keys(config, auth, "auth", config_keys_auth);
    if (value_required_string(auth, "auth", "user", "the name of a user", &user,
                              err) == 0 &&
        value_required_string(auth, "auth", "password_file",
                              "the path of a file that holds the password",
                              &path, err) == 0) {
        if (strchr(user, ':'))
            value_wrong(json_object_get(auth, "user"), "auth", "user",
                        "a name without a colon", err);
        else
            status = read_password(config, user, path, err);
    }
    free(path);
    free(user);
    return status;
}

static int read_acl(struct config *config, const json_t *json,
                    struct error *err) {
    const json_t *value = json_object_get(json, "acl");
    const char *acl = json_string_value(value);

    if (!value || json_is_null(value) || (acl && strcmp(acl, "open") == 0))
        return 0;
    if (!acl || strcmp(acl, creator_acl) != 0)
        return value_wrong(value, "", "acl",
                           "\"open\" or \"creator:all,world:read\"", err);
    if (!config->auth) {
        error_set(err, "acl: \"%s\" needs auth: without it there is no creator",
                  creator_acl);
        return -1;
    }
    config->creator_acl = true;
    return 0;
}

int config_auth_read(struct config *config, const json_t *json,
                     struct error *err) {
    if (read_auth(config, json, err) != 0)
        return -1;
    return read_acl(config, json, err);
}

#define SOCKET_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

int config_control_socket(const json_t *json, char **path, struct error *err) {
    if (value_string(json, "", "control_socket", path, err) != 0)
        return -1;
    if (!*path || strlen(*path) <= SOCKET_MAX)
        return 0;
    error_set(err,
              "control_socket: longer than %zu bytes, which no path of a "
              "socket can be",
              SOCKET_MAX);
    return -1;
}

int config_holds_path(const json_t *json, bool needed, char **path,
                      struct error *err) {
    if (value_string(json, "", "holds_path", path, err) != 0)
        return -1;
    if (!*path && needed) {
        error_set(err, "holds_path: missing; with control_socket it must be a "
                       "file that keeps what is disabled over a restart");
        return -1;
    }
    if (!*path || (*path)[strlen(*path) - 1] != '/')
        return 0;
    return value_wrong(json_object_get(json, "holds_path"), "", "holds_path",
                       "a file's path (it ends with /)", err);
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
