/* child.c - a program that runs beside the loop and leaves nothing behind
 *
 * libuv's own uv_spawn() is not used: it leaves open what was opened without
 * close-on-exec, and the client library opens its socket so.
 *
 * A process that ended stays a zombie until it is waited for, and keeps its
 * number, which is its group's too. So the group is killed first.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nerve/checks/child.h"

static void add_byte(struct last_line *l, char byte) {
    if (byte == '\n' || byte == '\r' || byte == '\0') {
        l->ended = true;
        return;
    }
    if (l->ended)
        l->length = 0;
    l->ended = false;
    if (l->length + 1 < sizeof(l->text))
        l->text[l->length++] = byte;
    l->text[l->length] = '\0';
}

void last_line_add(struct last_line *l, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        add_byte(l, bytes[i]);
}

#define LAST_READS 16 /* of what an ended program has left in the pipe */

struct child {
    uv_poll_t end;    /* readable: it ended */
    uv_poll_t output; /* what it prints */
    int end_fd;
    int output_fd;
    pid_t pid;
    int open_handles;
    child_done_fn *done; /* NULL once it was killed */
    void *arg;           /* borrowed */
    struct last_line last;
};

static unsigned int unreaped;

unsigned int child_count(void) { return unreaped; }

static void on_closed(uv_handle_t *handle) {
    struct child *c = handle->data;

    if (--c->open_handles > 0)
        return;
    close(c->end_fd);
    close(c->output_fd);
    free(c);
}

/* Reads once. Returns whether more may follow. */
static bool read_output(struct child *c) {
    char bytes[4096];
    ssize_t count = read(c->output_fd, bytes, sizeof(bytes));

    if (count > 0)
        last_line_add(&c->last, bytes, (size_t)count);
    return count > 0 || (count < 0 && errno == EINTR);
}

static void on_output(uv_poll_t *poll, int status, int events) {
    struct child *c = poll->data;

    (void)events;
    if (status == 0 && (read_output(c) || errno == EAGAIN))
        return;
    uv_poll_stop(poll);
}

/* Kills what is left of the group and waits for the child, which ended.
 * Returns its status. */
static int reap(struct child *c) {
    siginfo_t info = {0};

    unreaped--;
    kill(-c->pid, SIGKILL);
    if (waitid(P_PID, (id_t)c->pid, &info, WEXITED) != 0)
        return -SIGKILL;
    return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

static void on_end(uv_poll_t *poll, int status, int events) {
    struct child *c = poll->data;
    int result = reap(c);

    (void)status;
    (void)events;
    for (int i = 0; c->done && i < LAST_READS && read_output(c); i++)
        ;
    uv_close((uv_handle_t *)&c->end, on_closed);
    uv_close((uv_handle_t *)&c->output, on_closed);
    if (c->done)
        c->done(c->arg, result, c->last.text);
}

/* Starts the program with <output> as its output. Returns 0 or an error. */
static int spawn(pid_t *pid, char *const *argv, int output) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t manners;
    sigset_t all, none;
    int error;

    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_init(&manners);
    posix_spawnattr_setflags(&manners, POSIX_SPAWN_SETPGROUP |
                                           POSIX_SPAWN_SETSIGDEF |
                                           POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&manners, &all);
    posix_spawnattr_setsigmask(&manners, &none);
    error = posix_spawn_file_actions_init(&files);
    if (!error)
        error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null",
                                                 O_RDONLY, 0);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&files, output, 1);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&files, 1, 2);
    if (!error)
        error = posix_spawn_file_actions_addclosefrom_np(&files, 3);
    if (!error)
        error = posix_spawnp(pid, argv[0], &files, &manners, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&manners);
    return error;
}

/* Lets the loop look at <c>, which runs. Returns 0 or an error. */
static int watch(uv_loop_t *loop, struct child *c) {
    int status = uv_poll_init(loop, &c->end, c->end_fd);

    if (status == 0) {
        c->open_handles++;
        status = uv_poll_init(loop, &c->output, c->output_fd);
    }
    if (status != 0)
        return -status;
    c->open_handles++;
    c->end.data = c->output.data = c;
    uv_poll_start(&c->end, UV_READABLE, on_end);
    uv_poll_start(&c->output, UV_READABLE, on_output);
    return 0;
}

/* Frees <c>, whose start failed half-way. */
static void undo(struct child *c) {
    if (c->pid > 0) {
        kill(-c->pid, SIGKILL);
        reap(c);
    }
    if (c->open_handles > 0) {
        c->end.data = c;
        uv_close((uv_handle_t *)&c->end, on_closed);
        return;
    }
    if (c->end_fd >= 0)
        close(c->end_fd);
    if (c->output_fd >= 0)
        close(c->output_fd);
    free(c);
}

/* Opens the pipe, starts the program. Returns 0 or an error. Where the parent
 * of this process ignored the end of its children, they would not wait to be
 * asked for their status. */
static int start(struct child *c, char *const *argv) {
    int ends[2];
    int error;

    signal(SIGCHLD, SIG_DFL);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    c->output_fd = ends[0];
    error = spawn(&c->pid, argv, ends[1]);
    close(ends[1]);
    if (error) {
        c->pid = 0;
        return error;
    }
    unreaped++;
    c->end_fd = pidfd_open(c->pid, 0);
    return c->end_fd >= 0 ? 0 : errno;
}

struct child *child_start(uv_loop_t *loop, char *const *argv,
                          child_done_fn *done, void *arg, int *error) {
    struct child *c = calloc(1, sizeof(*c));

    if (!c) {
        *error = ENOMEM;
        return NULL;
    }
    c->done = done;
    c->arg = arg;
    c->end_fd = c->output_fd = -1;
    *error = start(c, argv);
    if (!*error)
        *error = watch(loop, c);
    if (!*error)
        return c;
    undo(c);
    return NULL;
}

void child_kill(struct child *c) {
    c->done = NULL;
    kill(-c->pid, SIGKILL);
}

void child_describe(int status, const char *line, char *text, size_t size) {
    const char *colon = *line ? ": " : "";

    if (status >= 0)
        snprintf(text, size, "exit status %d%s%s", status, colon, line);
    else
        snprintf(text, size, "ended by signal %d (%s)%s%s", -status,
                 strsignal(-status), colon, line);
}
