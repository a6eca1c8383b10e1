/* ctl.h - nerve ctl: asks a nerve, over its control socket
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_CTL_H
#define NERVE_OPERATOR_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

enum ctl_action { CTL_ASK = 0, CTL_HELP, CTL_WRONG };

/* The socket of the sample and of the package, asked when none is named. */
#define CTL_SOCKET "/run/nerve/control.sock"

/* Strings are borrowed from the command line and the environment. */
struct ctl_options {
    enum ctl_action action;
    const char *socket;  /* or NULL: as <config> says */
    const char *config;  /* a file's path, or NULL */
    bool json;           /* what comes is shown as it is */
    json_t *request;     /* owned (json_decref()) */
    int64_t patience_ms; /* how long an answer may take */
    const char *wrong;   /* the argument at fault */
    const char *problem; /* "is missing" or the like; static */
    const char *meant;   /* what <wrong> may be meant to be, or NULL; static */
};

/* Runs the command line <argv>, whose first word is "ctl". Blocks. Returns the
 * exit status. */
int ctl_run(int argc, char **argv);

/* Reads the command line <argv> without its first word. What it lacks comes
 * from the environment, through <getenv_fn>. Otherwise pure. Lack of memory is
 * a problem of the command line too. */
struct ctl_options ctl_options_read(int argc, char **argv,
                                    char *(*getenv_fn)(const char *name));

/* Returns the text of --help, static. */
const char *ctl_options_help(void);

#endif
