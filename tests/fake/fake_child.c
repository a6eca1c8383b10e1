/* fake_child.c - child.h that runs no program: a test says how it ends
 *
 * Included by a test: the archive's own is then left out by the linker.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nerve/checks/child.h"

struct child {
    child_done_fn *done; /* NULL: it does not run */
    void *arg;
};

/* The program that runs, its command line, and how many were killed. */
static struct child fake_child;
static char fake_command[200];
static int fake_killed;
static int fake_start_error;       /* of the next starts, or 0 */
static unsigned int fake_programs; /* that still have to end */

struct child *child_start(struct children *all, char *const *argv,
                          child_done_fn *done, void *arg, int *error) {
    (void)all;
    if (fake_start_error) {
        *error = fake_start_error;
        return NULL;
    }
    fake_command[0] = '\0';
    for (size_t i = 0; argv[i]; i++)
        snprintf(fake_command + strlen(fake_command),
                 sizeof(fake_command) - strlen(fake_command), "%s%s",
                 i ? " " : "", argv[i]);
    fake_child.done = done;
    fake_child.arg = arg;
    return &fake_child;
}

void child_kill(struct child *child) {
    child->done = NULL;
    fake_killed++;
}

unsigned int children_count(const struct children *all) {
    (void)all;
    return fake_programs;
}

void child_describe(const char *program, const struct child_end *end,
                    char *text, size_t size) {
    snprintf(text, size, "%s ended with %d", program, end->status);
}

/* The program ends. */
static inline void fake_child_ends(int error, int status) {
    struct child_end end = {.error = error, .status = status, .line = ""};
    child_done_fn *done = fake_child.done;

    fake_child.done = NULL;
    done(fake_child.arg, &end);
}
