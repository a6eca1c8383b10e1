/* options.c - nerve's command line
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <string.h>

#include "nerve/options.h"

static const char help[] =
    "usage: nerve -c FILE [-i ID] [-k]\n"
    "       nerve ctl --help\n"
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
    "If DEBUG is set in the environment, each check is logged too.\n";

/* An argument, and a value that may follow it or an "=". */
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

static void set_wrong(struct options *options, const char *argument,
                      const char *problem) {
    options->action = OPTIONS_WRONG;
    options->wrong = argument;
    options->problem = problem;
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
        set_wrong(options, argument, "is not an option");
    if (!target)
        return;
    *target = take_value(at);
    if (!*target)
        set_wrong(options, argument, "needs a value");
}

struct options options_read(int argc, char **argv,
                            char *(*getenv_fn)(const char *name)) {
    struct options options = {.config = getenv_fn("NERVE_CONFIG"),
                              .instance_id = getenv_fn("NERVE_INSTANCE_ID"),
                              .argv = argv};
    struct cursor at = {.argv = argv, .count = argc, .index = 1};

    if (getenv_fn("NERVE_CHECK_CONFIG"))
        options.action = OPTIONS_CHECK;
    for (; at.index < argc; at.index++) {
        read_argument(&options, &at);
        if (options.action >= OPTIONS_HELP)
            return options;
    }
    if (!options.config)
        set_wrong(&options, "-c FILE", "is missing");
    return options;
}

const char *options_help(void) { return help; }
