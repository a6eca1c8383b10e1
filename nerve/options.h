/* options.h - nerve's command line
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPTIONS_H
#define NERVE_OPTIONS_H

#include <stdbool.h>

enum options_action {
    OPTIONS_RUN = 0,
    OPTIONS_CHECK, /* only check the configuration */
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_WRONG /* <wrong> and <problem> say what */
};

/* All strings are borrowed from the command line and the environment. */
struct options {
    enum options_action action;
    const char *config;      /* the file's path, or NULL */
    const char *instance_id; /* or NULL: the file's */
    char *const *argv;       /* the whole command line */
    const char *wrong;       /* the argument at fault, or NULL */
    const char *problem;     /* "is missing" or the like; static */
};

/* Reads the command line <argv>, and for what it lacks the environment through
 * <getenv_fn>. Pure except for that. */
struct options options_read(int argc, char **argv,
                            char *(*getenv_fn)(const char *name));

/* Returns the text of --help, static. */
const char *options_help(void);

#endif
