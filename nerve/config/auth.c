/* auth.c - what is shown to ZooKeeper, and who may write, from JSON
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csrc/base/error.h"
#include "nerve/config/auth.h"
#include "nerve/config/keys.h"
#include "nerve/config/read.h"
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
