/* read.c - nerve.conf.json and the files of service_conf_dir, read and checked
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
#include "nerve/config/fields.h"
#include "nerve/config/model.h"
#include "nerve/config/process.h"
#include "nerve/config/read.h"
#include "nerve/config/reader.h"
#include "nerve/config/service.h"
#include "nerve/config/value.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A JSON document begins with a bracket; anything else may be YAML. */
static bool is_yaml(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (!is_space(text[i]))
            return text[i] != '{' && text[i] != '[';
    return false;
}

/* Returns what follows the string whose first quote is at <at>. */
static char *behind_string(char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : at;
}

/* Puts spaces over a byte order mark and a "---" at the start of <text>.
 * Returns what follows. */
static char *blank_start(char *text, const char *end) {
    static const char mark[] = "\xef\xbb\xbf";

    if (end - text >= 3 && memcmp(text, mark, 3) == 0)
        text = (char *)memset(text, ' ', 3) + 3;
    if (end - text >= 4 && memcmp(text, "---", 3) == 0 && is_space(text[3]))
        text = (char *)memset(text, ' ', 3) + 3;
    return text;
}

/* Puts spaces over what parsers of YAML take beside JSON, because templates
 * and people write it: a byte order mark, "---", comments, a comma behind the
 * last item. Lines and columns stay. Pure. */
static void blank_yaml(char *text, size_t length) {
    char *end = text + length, *at = blank_start(text, end), *comma = NULL;
    char last = '\0';

    while (at < end) {
        if (*at == '#' && (at == text || is_space(at[-1]))) {
            while (at < end && *at != '\n')
                *at++ = ' ';
        } else if (is_space(*at)) {
            at++;
        } else {
            if (comma && (*at == ']' || *at == '}'))
                *comma = ' ';
            comma = *at == ',' && !strchr("[{,:", last) ? at : NULL;
            last = *at;
            at = *at == '"' ? behind_string(at, end) : at + 1;
        }
    }
}

json_t *config_text_read(const char *text, size_t length, struct error *err) {
    json_error_t wrong;
    char *plain = malloc(length + 1);
    json_t *json;

    if (!plain) {
        error_set(err, "out of memory");
        return NULL;
    }
    memcpy(plain, text, length);
    blank_yaml(plain, length);
    json = json_loadb(plain, length, JSON_REJECT_DUPLICATES, &wrong);
    if (!json)
        error_set(err, "line %d, column %d: %s%s", wrong.line, wrong.column,
                  wrong.text,
                  is_yaml(plain, length)
                      ? " (the file must be JSON; YAML is not read)"
                      : "");
    free(plain);
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

/* Reads the file of a service. Opening a FIFO would wait for its writer,
 * perhaps forever. */
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

/* Editors and package managers leave other files behind. */
static int is_of_interest(const struct dirent *entry) {
    const char *name = entry->d_name;

    return name[0] != '.' && (ends_in(name, ".json") ||
                              ends_in(name, ".yaml") || ends_in(name, ".yml"));
}

/* Cuts the suffix off <name>: what is left is the service's name. */
static void cut_suffix(char name[NAME_SIZE]) { *strrchr(name, '.') = '\0'; }

/* What "services" and service_conf_dir hold together. */
struct sources {
    json_t *services; /* owned */
    json_t *files;    /* owned; from a service's name to the path of its file */
};

/* Adds the service <name> from the file <path>. */
static void add_file(struct reader *r, struct sources *s, const char *name,
                     const char *path) {
    struct error inner = {0};
    json_t *service = read_service_file(path, &inner);
    size_t entered;

    if (!service) {
        reader_fail(r, NULL, "%s: %s", path, inner.text);
        return;
    }
    if (json_object_get(s->services, name)) {
        entered = reader_enter(r, "services.%s", name);
        reader_note(r, LEVEL_INFO, NULL,
                    "%s takes the place of what is said here", path);
        reader_leave(r, entered);
    }
    if (json_object_set_new(s->services, name, service) != 0 ||
        json_object_set_new(s->files, name, json_string(path)) != 0)
        reader_fail(r, NULL, "%s: its name is not UTF-8, or out of memory",
                    path);
}

static void add_entry(struct reader *r, struct sources *s,
                      const char *directory, const char *entry) {
    char name[NAME_SIZE];
    struct text path = {0};

    snprintf(name, sizeof(name), "%s", entry);
    cut_suffix(name);
    text_printf(&path, "%s%s%s", directory, ends_in(directory, "/") ? "" : "/",
                entry);
    if (path.failed)
        reader_fail(r, NULL, "%s: out of memory", entry);
    else if (!ends_in(entry, ".json"))
        reader_fail(r, NULL,
                    "%s: YAML is not read; replace it with %s.json (YAML "
                    "parsers read JSON too)",
                    path.data, name);
    else
        add_file(r, s, name, path.data);
    text_close(&path);
}

/* Adds the services of <directory>: each *.json there is one, named like the
 * file, and takes the place of one that has that name already. */
static void add_directory(struct reader *r, struct sources *s,
                          const char *directory) {
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_of_interest, alphasort);

    if (count < 0)
        reader_fail(r, "service_conf_dir", "%s: %s", directory,
                    strerror(errno));
    for (int i = 0; i < count; i++) {
        add_entry(r, s, directory, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

#define DEFAULT_SESSION_MS 10000
#define DEFAULT_WATCHDOG_S 30

/* Names that many machines have. */
static const char *const nobodys[] = {"", "localhost", "localhost.localdomain",
                                      "(none)"};

/* Takes the host's name, if it tells this machine from others. */
static void take_host_name(struct reader *r, char **id) {
    char name[HOST_NAME_MAX + 1] = "";

    gethostname(name, sizeof(name) - 1);
    for (size_t i = 0; i < sizeof(nobodys) / sizeof(nobodys[0]); i++)
        if (strcmp(name, nobodys[i]) == 0) {
            reader_fail(r, "instance_id",
                        "missing, and the host's name \"%s\" is no name of "
                        "its own; it must be this machine's",
                        name);
            return;
        }
    *id = strdup(name);
    if (!*id)
        reader_no_memory(r, "instance_id");
}

/* Takes the instance_id of the command line as if the file had it. Tells
 * whether that can be read. */
static bool take_given_id(struct reader *r, json_t *json, const char *given) {
    if (!given || !*given)
        return true;
    if (json_object_set_new(json, "instance_id", json_string(given)) == 0)
        return true;
    reader_fail(r, "instance_id",
                "what -i or NERVE_INSTANCE_ID says is not UTF-8");
    return false;
}

/* Settles the instance_id: <given> on the command line, or the file's, or the
 * host's name. */
static void read_instance_id(struct reader *r, json_t *json,
                             const char *given) {
    char **id = &r->config->instance_id;
    size_t errors = r->errors;

    if (!take_given_id(r, json, given))
        return;
    value_string(r, json, "instance_id", id);
    if (!*id && !reader_failed_since(r, errors))
        take_host_name(r, id);
    if (*id && strchr(*id, '/'))
        reader_fail(r, "instance_id",
                    "\"%.200s\" must not hold a \"/\": it becomes part of a "
                    "znode's name",
                    *id);
}

/* Of two services with the same identity each would take the other's znode
 * for a duplicate of its own. */
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

/* Tells whether <b> cannot run beside <a>; then it has added an error. */
static bool check_pair(struct reader *r, const struct service_config *a,
                       const struct service_config *b) {
    size_t errors = r->errors,
           entered = reader_enter(r, "services.%s", b->name);

    if (is_same_instance(a, b))
        reader_fail(r, NULL,
                    "zk_hosts, zk_path, host and port are those of "
                    "services.%s; remove one of them",
                    a->name);
    else if (is_same_znode(a, b))
        reader_fail(r, NULL,
                    "its znode would be that of services.%s; give it another "
                    "zk_path, or a node_type that is sequential",
                    a->name);
    reader_leave(r, entered);
    return reader_failed_since(r, errors);
}

static void check_unique(struct reader *r) {
    const struct service_config *services = r->config->services;

    for (size_t i = 1; i < r->config->service_count; i++)
        for (size_t j = 0; j < i; j++)
            if (check_pair(r, &services[j], &services[i]))
                break;
}

/* Reads all services of <s>. */
static void read_services(struct reader *r, const struct sources *s) {
    struct config *config = r->config;
    size_t errors = r->errors, entered;
    const char *name;
    json_t *value;

    if (json_object_size(s->services) == 0) {
        reader_note(r, LEVEL_WARNING, "services", "none, nothing to do");
        return;
    }
    config->services =
        calloc(json_object_size(s->services), sizeof(*config->services));
    if (!config->services) {
        reader_no_memory(r, "services");
        return;
    }
    json_object_foreach(s->services, name, value) {
        r->file = json_string_value(json_object_get(s->files, name));
        entered = reader_enter(r, "services.%s", name);
        service_config_read(r, name, value,
                            &config->services[config->service_count++]);
        reader_leave(r, entered);
        r->file = NULL;
    }
    if (config->instance_id && !reader_failed_since(r, errors))
        check_unique(r);
}

/* Merges what "services" and service_conf_dir hold, and reads that. */
static void merge_services(struct reader *r, const json_t *json) {
    struct sources s = {json_object(), json_object()};
    const json_t *inlined = value_object(r, json, "services");
    size_t errors = r->errors;
    char *directory = NULL;

    value_string(r, json, "service_conf_dir", &directory);
    if (!s.services || !s.files ||
        (inlined && json_object_update(s.services, (json_t *)inlined) != 0))
        reader_no_memory(r, "services");
    else if (directory)
        add_directory(r, &s, directory);
    if (json_object_size(s.services) > 0 || !reader_failed_since(r, errors))
        read_services(r, &s);
    free(directory);
    json_decref(s.files);
    json_decref(s.services);
}

/* Reads all from <json>, the whole document. */
static void read_all(struct reader *r, json_t *json, const char *instance_id) {
    struct config *config = r->config;

    if (!json_is_object(json)) {
        reader_fail(r, NULL, "the configuration must be an object ({...})");
        return;
    }
    value_check_keys(r, json, config_fields_top, 0);
    config->session_timeout_ms = DEFAULT_SESSION_MS;
    config->watchdog_s = DEFAULT_WATCHDOG_S;
    value_fields(r, json, config_fields_top, 0, config);
    read_instance_id(r, json, instance_id);
    process_config_read(r, json);
    merge_services(r, json);
}

/* Makes a configuration of <json>, which it takes; NULL: <err> says why. */
static struct config *make_config(json_t *json, const char *instance_id,
                                  struct notes *notes, struct error *err) {
    struct config *config = json ? calloc(1, sizeof(*config)) : NULL;
    struct reader r = {.config = config, .err = err};

    if (config) {
        r.notes = &config->notes;
        read_all(&r, json, instance_id);
    } else {
        error_set(err, "out of memory");
    }
    json_decref(json);
    if (!config || r.errors == 0)
        return config;
    if (notes) {
        *notes = config->notes;
        config->notes = (struct notes){0};
    }
    config_free(config);
    return NULL;
}

struct config *config_parse(const char *text, size_t length,
                            const char *instance_id, struct notes *notes,
                            struct error *err) {
    return make_config(config_text_read(text, length, err), instance_id, notes,
                       err);
}

struct config *config_load(const char *path, const char *instance_id,
                           struct notes *notes, struct error *err) {
    struct error inner = {0};
    struct config *config =
        make_config(config_file_read(path, &inner), instance_id, notes, &inner);

    if (!config)
        error_set(err, "%s: %s", path, inner.text);
    return config;
}
