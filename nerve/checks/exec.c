/* exec.c - passes when a program exits with 0
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "nerve/checks/check_type.h"
#include "nerve/checks/child.h"
#include "nerve/config/model.h"

struct exec_check {
    struct check base;
    struct child *child; /* that runs, or NULL */
};

static void on_done(void *arg, int status, const char *line) {
    struct exec_check *e = arg;
    char reason[240];

    e->child = NULL;
    if (status == 0) {
        check_attempt_ended(&e->base, CHECK_PASSED, NULL);
        return;
    }
    child_describe(status, line, reason, sizeof(reason));
    check_attempt_ended(&e->base, CHECK_FAILED, reason);
}

static void attempt_exec(struct check *c, const struct addrinfo *address) {
    struct exec_check *e = (struct exec_check *)c;
    char *const *argv = c->config->command;
    char reason[200];
    int error = 0;

    (void)address;
    e->child = child_start(c->env.loop, argv, on_done, e, &error);
    if (e->child)
        return;
    snprintf(reason, sizeof(reason), "%.100s: %s", argv[0], strerror(error));
    check_attempt_ended(c, check_result_of(error), reason);
}

static void cancel_exec(struct check *c) {
    struct exec_check *e = (struct exec_check *)c;

    if (e->child)
        child_kill(e->child);
    e->child = NULL;
}

static int open_exec(struct check *c) {
    (void)c;
    return 0;
}

const struct check_type check_exec = {
    .size = sizeof(struct exec_check),
    .no_host = true,
    .open = open_exec,
    .attempt = attempt_exec,
    .cancel = cancel_exec,
    .close = cancel_exec,
};
