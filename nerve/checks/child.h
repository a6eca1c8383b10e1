/* child.h - a program that runs beside the loop and leaves nothing behind
 *
 * It has a process group of its own, /dev/null as its input, and none of this
 * process's descriptors; its output comes here. No shell is involved, unless
 * the program is a script without an interpreter line. The loop does not wait
 * while the program is loaded. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_CHILD_H
#define NERVE_CHECKS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

#include <uv.h>

struct child;

/* All programs of this process. There is only one such struct, because it waits
 * for every process that ends, also for those that this process inherits as the
 * first one of a container. */
struct children;

/* Returns a struct for <loop>, which it keeps borrowed. Owned by the caller, or
 * NULL without memory. <descriptors> is the programs' limit of descriptors. */
struct children *children_new(uv_loop_t *loop,
                              const struct rlimit *descriptors);

/* Frees <all> in a later turn of the loop, once no program is left. NULL is
 * allowed. */
void children_close(struct children *all);

/* Returns how many programs are running, or are killed but not waited for
 * yet. */
unsigned int children_count(const struct children *all);

struct last_line {  /* zeroed to start with */
    char text[160]; /* its beginning; NUL-terminated */
    size_t length;
    bool ended; /* the next byte begins another */
};

/* How a program ended. */
struct child_end {
    int error;        /* errno if it could not be run, or 0 */
    int status;       /* exit status, or minus the signal that ended it */
    const char *line; /* borrowed; the last one of its output, or "" */
};

/* Called when the program has ended, with borrowed arguments. The rest of its
 * group is killed. */
typedef void child_done_fn(void *arg, const struct child_end *end);

/* Runs the program <argv> (ended by NULL; looked for in PATH). Returns it,
 * valid until <done> or child_kill(), or NULL with an errno in <*error>:
 * EINPROGRESS if this program was killed and is still being loaded. Keeps <arg>
 * borrowed until then; copies <argv>. */
struct child *child_start(struct children *all, char *const *argv,
                          child_done_fn *done, void *arg, int *error);

/* Writes in words how <program> ended to <text> of <size> bytes. */
void child_describe(const char *program, const struct child_end *end,
                    char *text, size_t size);

/* Kills <child> and its group; <done> is not called. A later turn of the loop
 * frees it, once it is gone. */
void child_kill(struct child *child);

/* Takes the next <length> bytes of the output. Empty lines are ignored. */
void last_line_add(struct last_line *l, const char *bytes, size_t length);

#endif
