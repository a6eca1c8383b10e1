/* dir.h - service_conf_dir: a directory with a file for each service
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_DIR_H
#define NERVE_CONFIG_DIR_H

#include <jansson.h>

struct config;
struct error;

/* Adds the services of <directory> to <services>: each *.json there is one,
 * named like the file, and takes the place of one that has that name already.
 * <files> becomes a map from these names to the files' paths. Notes go to
 * <config>. Returns 0, or -1 with <err> naming the directory or the file. */
int config_dir_read(json_t *services, json_t *files, const char *directory,
                    struct config *config, struct error *err);

#endif
