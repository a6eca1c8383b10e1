/* options.c - nerve's command line
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <string.h>

#include "nerve/options.h"

static const char help[] =
    "usage: nerve -c FILE [-i ID] [-k]\n"
    "\n"
    "Checks services and registers those that are up in ZooKeeper.\n"
    "\n"
    "  -c, --config FILE       the configuration, JSON (or NERVE_CONFIG)\n"
    "  -i, --instance_id ID    instead of the configuration's instance_id\n"
    "                          (or NERVE_INSTANCE_ID)\n"
    "  -k, --check-config      check the configuration and exit (or\n"
    "                          NERVE_CHECK_CONFIG)\n"
    "  -h, --help              this text\n"
    "      --version           the version\n"
    "\n"
    "With DEBUG set in the environment each check is logged too.\n";

/* One argument, and the value that may follow it or a "=". */
struct cursor {
    char **argv;
    int count;
    int index;
    const char *value; /* after "--name=", or NULL */
};

static bool is_option(struct cursor *at, const char *letter, const char *name) {
    const char *argument = at->argv[at->index];
    size_t length = strlen(name);

    at->value = NULL;
    if (strcmp(argument, letter) == 0 || strcmp(argument, name) == 0)
        return true;
    if (strncmp(argument, name, length) != 0 || argument[length] != '=')
        return false;
    at->value = argument + length + 1;
    return true;
}

static const char *take_value(struct cursor *at) {
    if (at->value)
        return at->value;
    return at->index + 1 < at->count ? at->argv[++at->index] : NULL;
}

/* Reads the argument at the cursor into <options>. */
static void read_argument(struct options *options, struct cursor *at) {
    const char *argument = at->argv[at->index];
    const char **target = NULL;

    if (is_option(at, "-c", "--config"))
        target = &options->config;
    else if (is_option(at, "-i", "--instance_id"))
        target = &options->instance_id;
    else if (is_option(at, "-k", "--check-config") && !at->value)
        options->action = OPTIONS_CHECK;
    else if (is_option(at, "-h", "--help") && !at->value)
        options->action = OPTIONS_HELP;
    else if (strcmp(argument, "--version") == 0)
        options->action = OPTIONS_VERSION;
    else
        options->problem = argument;
    if (target) {
        *target = take_value(at);
        options->problem = *target ? NULL : argument;
    }
}

struct options options_read(int argc, char **argv,
                            char *(*getenv_fn)(const char *name)) {
    struct options options = {.config = getenv_fn("NERVE_CONFIG"),
                              .instance_id = getenv_fn("NERVE_INSTANCE_ID")};
    struct cursor at = {.argv = argv, .count = argc, .index = 1};

    if (getenv_fn("NERVE_CHECK_CONFIG"))
        options.action = OPTIONS_CHECK;
    for (; at.index < argc && !options.problem; at.index++) {
        read_argument(&options, &at);
        if (options.action >= OPTIONS_HELP)
            return options;
    }
    if (!options.problem && !options.config)
        options.problem = "-c";
    if (options.problem)
        options.action = OPTIONS_WRONG;
    return options;
}

const char *options_help(void) { return help; }
