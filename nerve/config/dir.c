/* dir.c - service_conf_dir: a directory with a file for each service
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/dir.h"
#include "nerve/config/file.h"
#include "nerve/config/read.h"

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
    json_t *service = config_file_read(path, &inner);

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

int config_dir_read(json_t *services, json_t *files, const char *directory,
                    struct config *config, struct error *err) {
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
