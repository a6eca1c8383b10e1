/* read.c - nerve.conf.json and the files of service_conf_dir, read and checked
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/keys.h"
#include "nerve/config/model.h"
#include "nerve/config/process.h"
#include "nerve/config/read.h"
#include "nerve/config/service.h"
#include "nerve/config/value.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)

/* Says what is wrong with the text; to whoever gave us YAML, that too. */
static void set_syntax_error(struct error *err, const json_error_t *wrong) {
    bool foreign = json_error_code(wrong) == json_error_invalid_syntax;

    error_set(err, "line %d, column %d: %s%s", wrong->line, wrong->column,
              wrong->text,
              foreign ? " (the file must be JSON; YAML is not read)" : "");
}

json_t *config_text_read(const char *text, size_t length, struct error *err) {
    json_error_t wrong;
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);

    if (!json)
        set_syntax_error(err, &wrong);
    return json;
}

/* Reads all of <file>. Returns the text, owned, or NULL with errno. */
static char *read_text(FILE *file, size_t *length) {
    struct text text = {0};
    char block[4096];
    size_t count;

    while ((count = fread(block, 1, sizeof(block), file)) > 0) {
        text_add(&text, block, count);
        if (text.length > FILE_MAX_BYTES) {
            text_close(&text);
            errno = EFBIG;
            return NULL;
        }
    }
    if (ferror(file)) {
        text_close(&text);
        return NULL;
    }
    *length = text.length;
    errno = ENOMEM;
    return text_take(&text);
}

/* Reads <file>, which it closes; NULL: errno says why. */
static json_t *read_file(FILE *file, struct error *err) {
    json_t *json = NULL;
    char *text = NULL;
    size_t length = 0;

    if (file)
        text = read_text(file, &length);
    if (text)
        json = config_text_read(text, length, err);
    else
        error_set(err, "%s", strerror(errno));
    if (file)
        fclose(file);
    free(text);
    return json;
}

json_t *config_file_read(const char *path, struct error *err) {
    return read_file(fopen(path, "re"), err);
}

/* Reads the file of a service. Whoever opens a FIFO waits for its writer,
 * maybe for ever. */
static json_t *read_service_file(const char *path, struct error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat about;

    if (fd == -1) {
        error_set(err, "%s", strerror(errno));
        return NULL;
    }
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode))
        return read_file(fdopen(fd, "r"), err);
    close(fd);
    error_set(err, "not a regular file; remove it from service_conf_dir");
    return NULL;
}

#define NAME_SIZE 256 /* of a file's name, with its end */

/* Tells whether <name> ends in <suffix> and has something before it. */
static bool ends_in(const char *name, const char *suffix) {
    size_t length = strlen(name), end = strlen(suffix);

    return length > end && strcmp(name + length - end, suffix) == 0;
}

/* Others lie about where editors and package managers work. */
static int is_of_interest(const struct dirent *entry) {
    const char *name = entry->d_name;

    return name[0] != '.' && (ends_in(name, ".json") ||
                              ends_in(name, ".yaml") || ends_in(name, ".yml"));
}

/* Cuts the suffix off <name>: what is left is the service's name. */
static void cut_suffix(char name[NAME_SIZE]) { *strrchr(name, '.') = '\0'; }

/* Reads the service <name> from the file <path>. */
static int read_json(json_t *services, json_t *files, const char *name,
                     const char *path, struct config *config,
                     struct error *err) {
    struct error inner = {0};
    json_t *service = read_service_file(path, &inner);

    if (!service) {
        error_set(err, "%s: %s", path, inner.text);
        return -1;
    }
    if (json_object_get(services, name))
        config_note(config, LEVEL_INFO,
                    "services.%s: %s takes the place of what is said here",
                    name, path);
    if (json_object_set_new(services, name, service) == 0 &&
        json_object_set_new(files, name, json_string(path)) == 0)
        return 0;
    error_set(err, "%s: its name is not UTF-8, or out of memory", path);
    return -1;
}

static int read_entry(json_t *services, json_t *files, const char *directory,
                      const char *entry, struct config *config,
                      struct error *err) {
    char name[NAME_SIZE];
    struct text path = {0};
    int status = -1;

    snprintf(name, sizeof(name), "%s", entry);
    cut_suffix(name);
    text_printf(&path, "%s%s%s", directory, ends_in(directory, "/") ? "" : "/",
                entry);
    if (path.failed)
        error_set(err, "%s: out of memory", entry);
    else if (!ends_in(entry, ".json"))
        error_set(err,
                  "%s: YAML is not read; replace it with %s.json (YAML parsers "
                  "read JSON too)",
                  path.data, name);
    else
        status = read_json(services, files, name, path.data, config, err);
    text_close(&path);
    return status;
}

/* Adds the services of <directory> to <services>: each *.json there is one,
 * named like the file, and takes the place of one that has that name already.
 * <files> becomes a map from these names to the files' paths. Notes go to
 * <config>. Returns 0, or -1 with <err> naming the directory or the file. */
static int read_directory(json_t *services, json_t *files,
                          const char *directory, struct config *config,
                          struct error *err) {
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_of_interest, alphasort);
    int status = 0;

    if (count < 0) {
        error_set(err, "service_conf_dir: %s: %s", directory, strerror(errno));
        return -1;
    }
    for (int i = 0; i < count; i++) {
        if (status == 0)
            status = read_entry(services, files, directory, entries[i]->d_name,
                                config, err);
        free(entries[i]);
    }
    free(entries);
    return status;
}

#define DEFAULT_SESSION_MS 10000
#define DEFAULT_WATCHDOG_S 30

/* Takes the instance_id of the command line as if the file had it. */
static int take_given_id(json_t *json, const char *given, struct error *err) {
    if (!given || !*given)
        return 0;
    if (json_object_set_new(json, "instance_id", json_string(given)) == 0)
        return 0;
    error_set(err, "instance_id: what -i or NERVE_INSTANCE_ID says is not "
                   "UTF-8");
    return -1;
}

/* Settles the instance_id: <given> on the command line, or the file's. */
static int read_instance_id(struct config *config, json_t *json,
                            const char *given, struct error *err) {
    if (take_given_id(json, given, err) != 0 ||
        value_required_string(json, "", "instance_id",
                              "this machine's name, one of its own",
                              &config->instance_id, err) != 0)
        return -1;
    if (!strchr(config->instance_id, '/'))
        return 0;
    error_set(err,
              "instance_id: \"%.200s\" must not hold a \"/\": it becomes "
              "part of a znode's name",
              config->instance_id);
    return -1;
}

/* Two services with one identity would each take the other's znode for a
 * surplus one of their own. */
static bool is_same_instance(const struct service_config *a,
                             const struct service_config *b) {
    return strcmp(a->zk_path, b->zk_path) == 0 &&
           strcmp(a->identity, b->identity) == 0 &&
           strcmp(a->ensemble, b->ensemble) == 0;
}

/* Without a sequence number the path has room for one. */
static bool is_same_znode(const struct service_config *a,
                          const struct service_config *b) {
    return !config_is_sequential(a) && !config_is_sequential(b) &&
           strcmp(a->zk_path, b->zk_path) == 0 &&
           strcmp(a->node, b->node) == 0 &&
           strcmp(a->ensemble, b->ensemble) == 0;
}

static int check_pair(const struct service_config *a,
                      const struct service_config *b, struct error *err) {
    if (is_same_instance(a, b))
        error_set(err,
                  "services.%s: zk_hosts, zk_path, host and port are "
                  "those of services.%s; remove one of them",
                  b->name, a->name);
    else if (is_same_znode(a, b))
        error_set(err,
                  "services.%s: its znode would be that of services.%s; "
                  "give it another zk_path, or a node_type that is sequential",
                  b->name, a->name);
    else
        return 0;
    return -1;
}

static int check_unique(const struct config *config, struct error *err) {
    for (size_t i = 1; i < config->service_count; i++)
        for (size_t j = 0; j < i; j++)
            if (check_pair(&config->services[j], &config->services[i], err) !=
                0)
                return -1;
    return 0;
}

/* Reads the service <name>, from <file> unless that is NULL. */
static int read_service(struct config *config, const char *name,
                        const json_t *json, const char *file,
                        struct error *err) {
    struct service_config *next = &config->services[config->service_count];
    struct error inner = {0};
    int status;

    config->service_count++;
    config->file = file;
    status = service_config_read(next, name, json, config, &inner);
    config->file = NULL;
    if (status != 0)
        error_set(err, "%s%s%s", file ? file : "", file ? ": " : "",
                  inner.text);
    return status;
}

/* Reads all <services>; <files> says which are from a file of their own. */
static int read_services(struct config *config, json_t *services,
                         const json_t *files, struct error *err) {
    const char *name, *file;
    json_t *value;

    if (json_object_size(services) == 0) {
        config_note(config, LEVEL_WARNING, "services: none, nothing to do");
        return 0;
    }
    config->services =
        calloc(json_object_size(services), sizeof(*config->services));
    if (!config->services) {
        error_set(err, "services: out of memory");
        return -1;
    }
    json_object_foreach(services, name, value) {
        file = json_string_value(json_object_get(files, name));
        if (read_service(config, name, value, file, err) != 0)
            return -1;
    }
    return check_unique(config, err);
}

/* Merges what "services" and service_conf_dir hold, and reads that. */
static int merge_services(struct config *config, const json_t *json,
                          struct error *err) {
    const json_t *inlined = NULL;
    json_t *services = json_object(), *files = json_object();
    char *directory = NULL;
    int status = -1;

    if (value_object(json, "", "services", &inlined, err) == 0 &&
        value_string(json, "", "service_conf_dir", &directory, err) == 0) {
        if (!services || !files ||
            (inlined && json_object_update(services, (json_t *)inlined) != 0))
            error_set(err, "services: out of memory");
        else if (!directory ||
                 read_directory(services, files, directory, config, err) == 0)
            status = read_services(config, services, files, err);
    }
    free(directory);
    json_decref(files);
    json_decref(services);
    return status;
}

/* Reads all from <json>, the whole document. */
static int read_all(struct config *config, json_t *json,
                    const char *instance_id, struct error *err) {
    unsigned int session_ms = DEFAULT_SESSION_MS;

    if (!json_is_object(json)) {
        error_set(err, "the configuration must be an object ({...})");
        return -1;
    }
    value_check_keys(config, json, "", config_keys_top);
    config->watchdog_s = DEFAULT_WATCHDOG_S;
    if (value_seconds(json, "", "session_timeout", &session_ms, err) != 0 ||
        read_instance_id(config, json, instance_id, err) != 0 ||
        value_string(json, "", "heartbeat_path", &config->heartbeat_path,
                     err) != 0 ||
        config_control_socket(json, &config->control_socket, err) != 0 ||
        config_holds_path(json, config->control_socket != NULL,
                          &config->holds_path, err) != 0 ||
        value_count(json, "", "watchdog", 1, 86400, &config->watchdog_s, err) !=
            0 ||
        watching_config_read(config, json, err) != 0 ||
        config_auth_read(config, json, err) != 0)
        return -1;
    config->session_timeout_ms = (int)session_ms;
    return merge_services(config, json, err);
}

/* Makes a configuration of <json>, which it takes; NULL: <err> says why. */
static struct config *make_config(json_t *json, const char *instance_id,
                                  struct error *err) {
    struct config *config = json ? calloc(1, sizeof(*config)) : NULL;
    int status = -1;

    if (config)
        status = read_all(config, json, instance_id, err);
    else
        error_set(err, "out of memory");
    json_decref(json);
    if (status == 0)
        return config;
    config_free(config);
    return NULL;
}

struct config *config_parse(const char *text, size_t length,
                            const char *instance_id, struct error *err) {
    return make_config(config_text_read(text, length, err), instance_id, err);
}

struct config *config_load(const char *path, const char *instance_id,
                           struct error *err) {
    struct error inner = {0};
    struct config *config =
        make_config(config_file_read(path, &inner), instance_id, &inner);

    if (!config)
        error_set(err, "%s: %s", path, inner.text);
    return config;
}
