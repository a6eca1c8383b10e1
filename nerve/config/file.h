/* file.h - a file of the configuration, read as JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_FILE_H
#define NERVE_CONFIG_FILE_H

#include <stddef.h>

#include <jansson.h>

struct error;

/* Reads <text> of <length> bytes. Returns the document, owned by the caller
 * (json_decref()), or NULL with <err> naming the line. Any thread. */
json_t *config_text_read(const char *text, size_t length, struct error *err);

/* The same for the file <path>, which <err> does not name. */
json_t *config_file_read(const char *path, struct error *err);

#endif
