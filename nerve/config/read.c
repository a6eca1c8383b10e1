/* read.c - nerve.conf.json, read and checked
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/auth.h"
#include "nerve/config/control.h"
#include "nerve/config/dir.h"
#include "nerve/config/file.h"
#include "nerve/config/keys.h"
#include "nerve/config/process.h"
#include "nerve/config/read.h"
#include "nerve/config/service.h"
#include "nerve/config/value.h"

#define DEFAULT_SESSION_MS 10000
#define DEFAULT_WATCHDOG_S 30

void config_note(struct config *config, enum event_level level,
                 const char *format, ...) {
    struct note *notes =
        realloc(config->notes, (config->note_count + 1) * sizeof(*notes));
    struct text text = {0};
    va_list args;
    char *said;

    if (!notes)
        return;
    config->notes = notes;
    va_start(args, format);
    if (vasprintf(&said, format, args) < 0)
        said = NULL;
    va_end(args);
    if (!said)
        return;
    if (config->file)
        text_printf(&text, "%s: ", config->file);
    text_puts(&text, said);
    free(said);
    notes[config->note_count].level = level;
    notes[config->note_count].text = text_take(&text);
    config->note_count += notes[config->note_count].text != NULL;
}

void config_secret_free(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void config_free(struct config *config) {
    if (!config)
        return;
    for (size_t i = 0; i < config->service_count; i++)
        service_config_close(&config->services[i]);
    for (size_t i = 0; i < config->note_count; i++)
        free(config->notes[i].text);
    free(config->notes);
    free(config->services);
    free(config->statsd.host);
    free(config->metrics.host);
    free(config->holds_path);
    free(config->control_socket);
    free(config->heartbeat_path);
    config_secret_free(config->auth);
    free(config->instance_id);
    free(config);
}

/* Settles the instance_id: <given> on the command line, or the file's. */
static int read_instance_id(struct config *config, const json_t *json,
                            const char *given, struct error *err) {
    if (given && *given)
        config->instance_id = strdup(given);
    else if (value_required_string(json, "", "instance_id",
                                   "this machine's name, one of its own",
                                   &config->instance_id, err) != 0)
        return -1;
    if (!config->instance_id) {
        error_set(err, "instance_id: out of memory");
        return -1;
    }
    if (!strchr(config->instance_id, '/'))
        return 0;
    error_set(err,
              "instance_id: \"%.200s\" must not hold a \"/\": it becomes "
              "part of a znode's name",
              config->instance_id);
    return -1;
}

bool config_is_persistent(const struct service_config *service) {
    return service->node_type == NODE_PERSISTENT ||
           service->node_type == NODE_PERSISTENT_SEQUENTIAL;
}

bool config_is_sequential(const struct service_config *service) {
    return service->node_type == NODE_EPHEMERAL_SEQUENTIAL ||
           service->node_type == NODE_PERSISTENT_SEQUENTIAL;
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
                 config_dir_read(services, files, directory, config, err) == 0)
            status = read_services(config, services, files, err);
    }
    free(directory);
    json_decref(files);
    json_decref(services);
    return status;
}

/* Reads all from <json>, the whole document. */
static int read_all(struct config *config, const json_t *json,
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
