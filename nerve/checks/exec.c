/* exec.c - passes when a program exits with 0
 * SPDX-License-Identifier: MIT
 */
#include "nerve/checks/check_type.h"
#include "nerve/checks/child.h"
#include "nerve/config/model.h"

struct exec_check {
    struct check base;
    struct child *child; /* the running one, or NULL */
};

static void tell_end(struct exec_check *e, const struct child_end *end) {
    char reason[300];

    e->child = NULL;
    if (!end->error && end->status == 0) {
        check_attempt_ended(&e->base, CHECK_PASSED, NULL);
        return;
    }
    child_describe(e->base.config->command[0], end, reason, sizeof(reason));
    check_attempt_ended(&e->base, check_result_of(end->error), reason);
}

static void on_done(void *arg, const struct child_end *end) {
    tell_end(arg, end);
}

static void attempt_exec(struct check *c, const struct addrinfo *address) {
    struct exec_check *e = (struct exec_check *)c;
    struct child_end none = {.line = ""};

    (void)address;
    e->child = child_start(c->env.children, c->config->command, on_done, e,
                           &none.error);
    if (!e->child)
        tell_end(e, &none);
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
