/* fake_check.c - check.h whose results a test gives
 *
 * Included by a test: the archive's checks are then left out by the linker.
 * Each check is known by its name.
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "nerve/checks/check.h"
#include "nerve/config/model.h"

struct check {
    const struct check_config *config;
    check_done_fn *done;
    void *arg;
};

/* The check that runs, or NULL; and the names of all that ran, in order. */
static struct check *fake_running;
static char fake_ran[256];

/* Of the check that was opened last. */
static const struct push_report *fake_report;

struct check *check_open(const struct check_env *env,
                         const struct check_config *config, check_done_fn *done,
                         void *arg) {
    struct check *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    fake_report = env->report;
    c->config = config;
    c->done = done;
    c->arg = arg;
    return c;
}

void check_start(struct check *c) {
    strncat(fake_ran, c->config->name, sizeof(fake_ran) - strlen(fake_ran) - 1);
    fake_running = c;
}

void check_stop(struct check *c) {
    assert_non_null(c);
    if (fake_running == c)
        fake_running = NULL;
}

void check_close(struct check *c) {
    if (c)
        check_stop(c);
    free(c);
}

/* Ends the check that runs. */
static inline void fake_result(enum check_result result, const char *reason) {
    struct check *c = fake_running;

    fake_running = NULL;
    c->done(c->arg, result, reason);
}
