/* child.c - a program that runs beside the loop and leaves nothing behind
 *
 * libuv's uv_spawn() leaves descriptors open that were opened without
 * close-on-exec, and the client library opens its socket in this way.
 * posix_spawn() cannot set limits, and its caller waits until the program is
 * loaded, which the loop must not do. So each program has a thread until it is
 * loaded.
 *
 *   loop thread  everything except
 *   starter      start_program(); until <started> only it touches
 *                <program_fd>
 *   program      become(), in this process's memory while the starter waits
 *
 * A process that has ended stays a zombie until somebody waits for it, and
 * keeps its id, which is also its group's. So the group is killed first.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "csrc/base/worker.h"
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

#define LAST_READS 16     /* of what an ended program has left in the pipe */
#define STACK_SIZE 131072 /* for the code before exec, beside its argv */

struct children {
    uv_loop_t *loop;     /* borrowed */
    uv_signal_t ended;   /* SIGCHLD */
    uv_async_t started;  /* a starter thread has finished */
    struct child *first; /* of the list; owned */
    unsigned int count;
    struct rlimit descriptors; /* of the programs */
    int open_handles;
    bool closing;
};

/* What the program's process reports before exec. It lies in memory that a fork
 * shares too, because an emulator (qemu-user) makes a fork of each vfork. */
struct program {
    atomic_int pid;   /* 0: there is no process yet */
    atomic_int error; /* why the program could not be started, or 0 */
};

struct child {
    struct children *of; /* borrowed */
    struct child *next;
    struct worker *starter; /* owned; NULL: it has done its part */
    atomic_bool started;    /* so it says */
    uv_poll_t output;       /* what it prints */
    int output_fd;
    int program_fd;      /* the end of the pipe that the program writes to */
    child_done_fn *done; /* NULL once it was killed */
    void *arg;           /* borrowed */
    struct last_line last;
    struct program *program; /* owned; at the low end of <shared_size> bytes, */
    size_t shared_size;      /* whose upper end is the stack until exec */
    char **argv;             /* owned, with its strings, in one piece */
};

/* What to do with the output after it was read once. */
enum reading { READING_MORE = 0, READING_NOTHING_NOW, READING_END };

static enum reading read_output(struct child *c) {
    char bytes[4096];
    ssize_t count = read(c->output_fd, bytes, sizeof(bytes));

    if (count > 0)
        last_line_add(&c->last, bytes, (size_t)count);
    if (count > 0 || (count == -1 && errno == EINTR))
        return READING_MORE;
    return count == -1 && errno == EAGAIN ? READING_NOTHING_NOW : READING_END;
}

static void on_output(uv_poll_t *poll, int status, int events) {
    (void)events;
    if (status != 0 || read_output(poll->data) == READING_END)
        uv_poll_stop(poll);
}

/* Runs in the process of the program, before exec. It uses the memory of this
 * process, and the thread that made it waits. It reports its own id, so that no
 * other thread takes its end for that of an unknown process. */
static int become(void *data) {
    struct child *c = data;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t none;
    int input;

    atomic_store(&c->program->pid, getpid());
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &usual, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_NOFILE, &c->of->descriptors);
    if (dup2(c->program_fd, STDOUT_FILENO) != -1 &&
        dup2(STDOUT_FILENO, STDERR_FILENO) != -1 &&
        (input = open("/dev/null", O_RDONLY)) != -1 &&
        dup2(input, STDIN_FILENO) != -1) {
        closefrom(STDERR_FILENO + 1);
        execvp(c->argv[0], c->argv);
    }
    atomic_store(&c->program->error, errno);
    _exit(127);
}

/* Starter's thread, with all signals blocked. Waits until the program is
 * loaded, which may take long on a file system that hangs. */
static void start_program(void *data) {
    struct child *c = data;
    int pid = clone(become, (char *)c->program + c->shared_size,
                    CLONE_VM | CLONE_VFORK | SIGCHLD, c);

    if (pid == -1)
        atomic_store(&c->program->error, errno);
    else { /* after a fork the program may not be so far yet */
        setpgid(pid, pid);
        atomic_store(&c->program->pid, pid);
    }
    close(c->program_fd);
    atomic_store(&c->started, true);
    uv_async_send(&c->of->started);
}

static void keep(void *data) { (void)data; }

static void free_child(struct child *c) {
    worker_free(c->starter);
    if (c->program)
        munmap(c->program, c->shared_size);
    free(c->argv);
    free(c);
}

static void on_output_closed(uv_handle_t *output) {
    struct child *c = output->data;

    close(c->output_fd);
    free_child(c);
}

static void on_closed(uv_handle_t *handle) {
    struct children *all = handle->data;

    if (--all->open_handles == 0)
        free(all);
}

static void close_when_empty(struct children *all) {
    if (!all->closing || all->count > 0)
        return;
    uv_close((uv_handle_t *)&all->ended, on_closed);
    uv_close((uv_handle_t *)&all->started, on_closed);
}

/* The loop stays alive while a program runs, and only then. */
static void count_one(struct children *all, int more) {
    all->count += (unsigned int)more;
    if (all->count == 0) {
        uv_unref((uv_handle_t *)&all->ended);
        uv_unref((uv_handle_t *)&all->started);
    } else {
        uv_ref((uv_handle_t *)&all->ended);
        uv_ref((uv_handle_t *)&all->started);
    }
}

static void forget(struct child *c) {
    struct child **at = &c->of->first;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    count_one(c->of, -1);
}

/* Reports the end of <c> and frees it, in a later turn of the loop. */
static void end(struct child *c, int status) {
    struct child_end told = {.error = atomic_load(&c->program->error),
                             .status = status,
                             .line = c->last.text};

    for (int i = 0; c->done && i < LAST_READS; i++)
        if (read_output(c) != READING_MORE)
            break;
    forget(c);
    uv_close((uv_handle_t *)&c->output, on_output_closed);
    if (c->done)
        c->done(c->arg, &told);
    close_when_empty(c->of);
}

/* The starter thread has ended, or ends at once. */
static void join_starter(struct child *c) {
    worker_free(c->starter);
    c->starter = NULL;
}

static void kill_group(const struct child *c) {
    int pid = atomic_load(&c->program->pid);

    if (pid > 0)
        kill(-pid, SIGKILL);
}

/* Kills the rest of the group, waits for the child, which has ended, and
 * reports it. */
static void reap(struct child *c) {
    siginfo_t info = {0};
    int status = -SIGKILL;

    join_starter(c);
    kill_group(c);
    if (waitid(P_PID, (id_t)atomic_load(&c->program->pid), &info, WEXITED) == 0)
        status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    end(c, status);
}

static struct child *find(const struct children *all, pid_t pid) {
    struct child *c = all->first;

    while (c && atomic_load(&c->program->pid) != pid)
        c = c->next;
    return c;
}

/* Waits for all processes that have ended. An unknown process was left behind
 * by another one: as the first process of a container this process inherits
 * it. */
static void reap_ended(struct children *all) {
    siginfo_t info = {0};
    struct child *c;

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0) {
        c = find(all, info.si_pid);
        if (c)
            reap(c);
        else
            waitid(P_PID, (id_t)info.si_pid, &info, WEXITED);
        info.si_pid = 0;
    }
}

static void on_ended(uv_signal_t *signal, int number) {
    (void)number;
    reap_ended(signal->data);
}

static void on_started(uv_async_t *async) {
    const struct children *all = async->data;
    struct child *c, *next;

    for (c = all->first; c; c = next) {
        next = c->next;
        if (!c->starter || !atomic_load(&c->started))
            continue;
        join_starter(c);
        if (atomic_load(&c->program->pid) == 0)
            end(c, 0);
        else if (!c->done)
            kill_group(c);
    }
}

/* The parent of this process may have blocked the signal. */
static void allow_sigchld(void) {
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

struct children *children_new(uv_loop_t *loop,
                              const struct rlimit *descriptors) {
    struct children *all = calloc(1, sizeof(*all));

    if (!all)
        return NULL;
    all->loop = loop;
    all->descriptors = *descriptors;
    if (uv_async_init(loop, &all->started, on_started) != 0) {
        free(all);
        return NULL;
    }
    uv_signal_init(loop, &all->ended);
    all->ended.data = all->started.data = all;
    all->open_handles = 2;
    allow_sigchld();
    uv_signal_start(&all->ended, on_ended, SIGCHLD);
    count_one(all, 0);
    reap_ended(all);
    return all;
}

void children_close(struct children *all) {
    if (!all)
        return;
    all->closing = true;
    close_when_empty(all);
}

unsigned int children_count(const struct children *all) { return all->count; }

/* Copies <argv> into one piece of memory, because the program may be loaded
 * long after its configuration is freed. */
static int copy_argv(struct child *c, char *const *argv) {
    size_t count = 0, bytes = 0;
    void *shared;
    char *at;

    for (; argv[count]; count++)
        bytes += strlen(argv[count]) + 1;
    c->shared_size = (STACK_SIZE + 2 * count * sizeof(*argv)) & ~(size_t)63;
    c->argv = malloc((count + 1) * sizeof(*argv) + bytes);
    shared = mmap(NULL, c->shared_size, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared != MAP_FAILED)
        c->program = shared;
    if (!c->argv || !c->program)
        return ENOMEM;
    at = (char *)(c->argv + count + 1);
    for (size_t i = 0; i < count; i++) {
        c->argv[i] = at;
        at = stpcpy(at, argv[i]) + 1;
    }
    c->argv[count] = NULL;
    return 0;
}

/* Tells whether a program that was killed is still being loaded: loading hangs,
 * and would hang for the next program too. */
static bool hangs(const struct children *all, const char *program) {
    for (const struct child *c = all->first; c; c = c->next)
        if (!c->done && c->starter && strcmp(c->argv[0], program) == 0)
            return true;
    return false;
}

/* Makes the pipe, which the loop watches. Returns 0 or an error. */
static int open_output(struct child *c) {
    int ends[2], status;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    c->output_fd = ends[0];
    c->program_fd = ends[1];
    status = uv_poll_init(c->of->loop, &c->output, c->output_fd);
    if (status == 0) {
        c->output.data = c;
        uv_poll_start(&c->output, UV_READABLE, on_output);
        return 0;
    }
    close(ends[0]);
    close(ends[1]);
    return -status;
}

/* Returns a child without a program, or NULL with <*error>. */
static struct child *new_child(struct children *all, char *const *argv,
                               int *error) {
    struct child *c = calloc(1, sizeof(*c));

    *error = ENOMEM;
    if (!c)
        return NULL;
    c->of = all;
    c->starter = worker_new();
    if (c->starter)
        *error = copy_argv(c, argv);
    if (*error == 0)
        *error = open_output(c);
    if (*error == 0)
        return c;
    free_child(c);
    return NULL;
}

struct child *child_start(struct children *all, char *const *argv,
                          child_done_fn *done, void *arg, int *error) {
    struct child *c;

    *error = EINPROGRESS;
    if (hangs(all, argv[0]))
        return NULL;
    c = new_child(all, argv, error);
    if (!c)
        return NULL;
    if (worker_run(c->starter, start_program, keep, c) != 0) {
        *error = errno;
        close(c->program_fd);
        uv_close((uv_handle_t *)&c->output, on_output_closed);
        return NULL;
    }
    c->done = done;
    c->arg = arg;
    c->next = all->first;
    all->first = c;
    count_one(all, 1);
    return c;
}

void child_kill(struct child *c) {
    c->done = NULL;
    kill_group(c);
}

/* A program without a slash is looked for in PATH. If a directory there may not
 * be searched, nobody knows whether the program is missing. */
static void describe_error(const char *program, int error, char *text,
                           size_t size) {
    const char *why = strerror(error);

    if (error == EINPROGRESS)
        why = "is still being loaded since an earlier check; its file system "
              "hangs";
    else if (!strchr(program, '/') && (error == ENOENT || error == EACCES))
        why = "no program of this name in PATH that may be run";
    snprintf(text, size, "%.100s: %s", program, why);
}

void child_describe(const char *program, const struct child_end *end,
                    char *text, size_t size) {
    const char *colon = *end->line ? ": " : "";

    if (end->error)
        describe_error(program, end->error, text, size);
    else if (end->status >= 0)
        snprintf(text, size, "exit status %d%s%s", end->status, colon,
                 end->line);
    else
        snprintf(text, size, "ended by signal %d (%s)%s%s", -end->status,
                 strsignal(-end->status), colon, end->line);
}
