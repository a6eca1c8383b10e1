/* config.c - nerve.conf.json, read and checked
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/error.h"
#include "nerve/config.h"
#include "nerve/config_service.h"
#include "nerve/config_value.h"
#include "nerve/text.h"

#define FILE_MAX_BYTES     (16 * 1024 * 1024)
#define DEFAULT_SESSION_MS 10000

static const struct key top_keys[] = {
    {"instance_id", KEY_USED},
    {"services", KEY_USED},
    {"session_timeout", KEY_USED},
    {"heartbeat_path", KEY_IGNORED},
    {"max_repeated_report_failures", KEY_IGNORED},
    {"statsd", KEY_IGNORED},
    {"listen_port", KEY_IGNORED},
    {"prometheus", KEY_IGNORED},
    {"service_conf_dir", KEY_USED},
    {NULL, KEY_USED},
};

void config_note(struct config *config, enum event_level level,
                 const char *format, ...) {
    struct note *notes =
        realloc(config->notes, (config->note_count + 1) * sizeof(*notes));
    va_list args;
    char *text;
    int length;

    if (!notes)
        return;
    config->notes = notes;
    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        return;
    notes[config->note_count].level = level;
    notes[config->note_count++].text = text;
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

/* Two services with one identity would each take the other's znode for a
 * surplus one of their own. */
static int check_unique(const struct config *config, struct error *err) {
    const struct service_config *a, *b;

    for (size_t i = 1; i < config->service_count; i++) {
        for (size_t j = 0; j < i; j++) {
            a = &config->services[j];
            b = &config->services[i];
            if (strcmp(a->zk_path, b->zk_path) != 0 ||
                strcmp(a->identity, b->identity) != 0 ||
                strcmp(a->ensemble, b->ensemble) != 0)
                continue;
            error_set(err,
                      "services.%s: zk_hosts, zk_path, host and port are "
                      "those of services.%s; remove one of them",
                      b->name, a->name);
            return -1;
        }
    }
    return 0;
}

static int read_services(struct config *config, const json_t *json,
                         struct error *err) {
    const json_t *services = NULL;
    const char *name;
    json_t *value;

    if (value_object(json, "", "services", &services, err) != 0)
        return -1;
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
    json_object_foreach((json_t *)services, name, value) {
        struct service_config *next = &config->services[config->service_count];

        config->service_count++;
        if (service_config_read(next, name, value, config, err) != 0)
            return -1;
    }
    return check_unique(config, err);
}

/* Reads all from <json>, the whole document. */
static int read_all(struct config *config, const json_t *json,
                    const char *instance_id, struct error *err) {
    unsigned int session_ms = DEFAULT_SESSION_MS;

    if (!json_is_object(json)) {
        error_set(err, "the configuration must be an object ({...})");
        return -1;
    }
    if (json_object_get(json, "service_conf_dir")) {
        error_set(err, "service_conf_dir: not supported; put its files below "
                       "\"services\"");
        return -1;
    }
    value_check_keys(config, json, "", top_keys);
    if (value_seconds(json, "", "session_timeout", &session_ms, err) != 0 ||
        read_instance_id(config, json, instance_id, err) != 0)
        return -1;
    config->session_timeout_ms = (int)session_ms;
    return read_services(config, json, err);
}

/* Says what is wrong with the text; to whoever gave us YAML, that too. */
static void set_syntax_error(struct error *err, const json_error_t *wrong) {
    bool foreign = json_error_code(wrong) == json_error_invalid_syntax;

    error_set(err, "line %d, column %d: %s%s", wrong->line, wrong->column,
              wrong->text,
              foreign ? " (the file must be JSON; YAML is not read)" : "");
}

struct config *config_parse(const char *text, size_t length,
                            const char *instance_id, struct error *err) {
    struct config *config = calloc(1, sizeof(*config));
    json_error_t wrong;
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);
    int status = -1;

    if (!json)
        set_syntax_error(err, &wrong);
    else if (!config)
        error_set(err, "out of memory");
    else
        status = read_all(config, json, instance_id, err);
    json_decref(json);
    if (status == 0)
        return config;
    config_free(config);
    return NULL;
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

struct config *config_load(const char *path, const char *instance_id,
                           struct error *err) {
    FILE *file = fopen(path, "re");
    struct config *config;
    struct error inner = {0};
    char *text = NULL;
    size_t length = 0;

    if (file)
        text = read_text(file, &length);
    if (!text)
        error_set(err, "%s: %s", path, strerror(errno));
    if (file)
        fclose(file);
    if (!text)
        return NULL;
    config = config_parse(text, length, instance_id, &inner);
    free(text);
    if (!config)
        error_set(err, "%s: %s", path, inner.text);
    return config;
}
