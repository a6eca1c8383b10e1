/* read.h - nerve.conf.json, read and checked
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_READ_H
#define NERVE_CONFIG_READ_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct config;
struct error;
struct notes;

/* Reads the file <path> and those of its service_conf_dir. <instance_id>
 * replaces the one in the file, unless it is NULL or empty. Returns the
 * configuration, owned by the caller, or NULL with <err>: the first error,
 * which names the place and what would be right. <notes> (zeroed, or NULL)
 * gets the other errors and the notes; the caller owns them (notes_close()). */
struct config *config_load(const char *path, const char *instance_id,
                           struct notes *notes, struct error *err);

/* The same for <text> of <length> bytes. */
struct config *config_parse(const char *text, size_t length,
                            const char *instance_id, struct notes *notes,
                            struct error *err);

/* Reads <text> of <length> bytes: JSON, and some of what YAML allows as well
 * (comments after a "#", a comma after the last item, "---" or a byte order
 * mark at the start). Returns the document, owned by the caller
 * (json_decref()), or NULL with <err> naming the line. Any thread. */
json_t *config_text_read(const char *text, size_t length, struct error *err);

/* The same for the file <path>, which <err> does not name. */
json_t *config_file_read(const char *path, struct error *err);

#endif
