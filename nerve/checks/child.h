/* child.h - a program that runs beside the loop and leaves nothing behind
 *
 * It has a process group of its own, /dev/null as its input, and of this
 * process's descriptors none: its output comes here. No shell is involved.
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_CHILD_H
#define NERVE_CHECKS_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

struct child;

struct last_line {  /* zeroed to start with */
    char text[160]; /* its beginning; NUL-terminated */
    size_t length;
    bool ended; /* the next byte begins another */
};

/* Called when the program ended: <status> is what it exited with, or minus the
 * signal that ended it; <line> is the last line of its output, borrowed during
 * the call, empty without any. What is left of its group is killed. */
typedef void child_done_fn(void *arg, int status, const char *line);

/* Runs the program <argv> (ended by NULL; looked for in PATH) on <loop>.
 * Returns it, valid until <done> or child_kill(), or NULL with <*error> a
 * number of the system's. Keeps <arg> borrowed so long. */
struct child *child_start(uv_loop_t *loop, char *const *argv,
                          child_done_fn *done, void *arg, int *error);

/* Writes what <done> was called with, in words, to <text> of <size> bytes. */
void child_describe(int status, const char *line, char *text, size_t size);

/* Kills <child> and its group; <done> is not called. It is freed by a later
 * turn of the loop, once it is gone. */
void child_kill(struct child *child);

/* Returns how many programs run, or were killed and have to be waited for. */
unsigned int child_count(void);

/* Takes the next <length> bytes of the output. Empty lines do not count. */
void last_line_add(struct last_line *l, const char *bytes, size_t length);

#endif
