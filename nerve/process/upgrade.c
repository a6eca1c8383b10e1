/* upgrade.c - another binary takes over this process, with its sessions
 *
 *   checking  the new binary reads the configuration (-k)
 *   pausing   no check runs any more, and no program of a check is left,
 *             because nobody else could wait for it
 *   exec      all threads end; everything else continues in the new binary
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csrc/base/error.h"
#include "nerve/checks/child.h"
#include "nerve/config/model.h"
#include "nerve/log.h"
#include "nerve/process/handover.h"
#include "nerve/process/systemd.h"
#include "nerve/process/upgrade.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"
#include "nerve/services/hold.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"
#include "nerve/signals.h"

static int save_service(struct json_t *all, const struct service *s) {
    struct saved_service saved = {.config = s->config,
                                  .leaving = service_is_leaving(s)};

    saved.told = reporter_save(s->reporter, &saved.known);
    if (s->watcher)
        watcher_save(s->watcher, &saved.standing);
    else if (s->before)
        saved.standing = *s->before;
    return handover_add_service(all, &saved);
}

/* Adds what another process needs to continue the services to <all>
 * (handover.h). Returns 0, or -1 without memory. */
static int save_services(const struct services *r, struct json_t *all) {
    struct saved_session session;
    int status = handover_add_holds(all, r->env.holds);

    for (size_t i = 0; i < r->ensemble_count; i++)
        if (ensemble_save(r->ensembles[i], &session))
            status |= handover_add_session(all, &session);
    for (size_t i = 0; i < r->count; i++)
        status |= save_service(all, r->services[i]);
    return status;
}

static int restore_session(struct services *r,
                           const struct saved_session *session) {
    struct ensemble_env env =
        services_ensemble_env(r, session->session_timeout_ms);

    return services_add_ensemble(r, ensemble_resume(&env, session)) ? 0 : -1;
}

static int restore_service(struct services *r, struct saved_service *from) {
    struct ensemble *e = services_ensemble_of(r, from->config);
    const struct hold *hold = holds_find(r->env.holds, from->config->name);
    struct service *s = e ? service_restore(from, e, hold, r->env.log) : NULL;

    if (!s)
        return -1;
    r->services[r->count++] = s;
    return 0;
}

int upgrade_restore(struct services *r, struct handover *from) {
    r->services = calloc(from->service_count + 1, sizeof(*r->services));
    if (!r->services)
        return -1;
    for (size_t i = 0; i < from->session_count; i++)
        if (restore_session(r, &from->sessions[i]) != 0)
            return -1;
    for (size_t i = 0; i < from->service_count; i++)
        if (restore_service(r, &from->services[i]) != 0)
            return -1;
    return 0;
}

void services_pause(struct services *r) {
    for (size_t i = 0; i < r->count; i++)
        if (r->services[i]->watcher)
            watcher_pause(r->services[i]->watcher);
}

void services_resume(struct services *r) {
    for (size_t i = 0; i < r->count; i++)
        if (r->services[i]->watcher)
            watcher_resume(r->services[i]->watcher);
}

#define VARIABLE  "NERVE_HANDOVER" /* the memfd's number */
#define CHECK_MS  10000
#define PAUSE_MS  1000
#define TICK_MS   10
#define FLUSH_MS  100
#define BYTES_MAX (64 << 20)

void upgrade_stop(struct upgrade *u) {
    if (u->checking)
        child_kill(u->checking);
    if (u->holds_signals)
        signals_release();
    u->checking = NULL;
    u->under_way = u->holds_signals = false;
    uv_timer_stop(&u->timer);
}

static void refuse(struct upgrade *u, const char *what, const char *why) {
    upgrade_stop(u);
    log_line(u->log, LEVEL_ERROR, "not upgraded, nothing is changed: %s: %s",
             what, why);
    notify_ready();
}

/* Writes what nerve knows to a new memfd, which exec leaves open. Returns it,
 * or -1 with errno. */
static int write_state(const struct services *services) {
    struct json_t *all = handover_begin();
    char *text = NULL;
    size_t length, done = 0;
    int fd = memfd_create("nerve", 0);
    int reason = fd >= 0 ? ENOMEM : errno;

    if (fd >= 0 && all && save_services(services, all) == 0)
        text = handover_text(all);
    handover_end(all);
    length = text ? strlen(text) : 0;
    while (done < length) {
        ssize_t count = write(fd, text + done, length - done);

        if (count <= 0) {
            reason = errno;
            break;
        }
        done += (size_t)count;
    }
    free(text);
    if (length > 0 && done == length)
        return fd;
    if (fd >= 0)
        close(fd);
    errno = reason;
    return -1;
}

/* Returns only if it fails. */
static void execute(struct upgrade *u) {
    int fd = write_state(u->services);
    struct rlimit raised;
    char number[16];
    int reason;

    if (fd < 0) {
        refuse(u, "memfd", strerror(errno));
        return;
    }
    snprintf(number, sizeof(number), "%d", fd);
    setenv(VARIABLE, number, 1);
    log_line(u->log, LEVEL_INFO, "SIGUSR2: %s takes over", u->argv[0]);
    log_flush(u->log, FLUSH_MS);
    getrlimit(RLIMIT_NOFILE, &raised);
    setrlimit(RLIMIT_NOFILE, u->descriptors); /* to be raised again */
    execvp(u->argv[0], u->argv);
    reason = errno;
    setrlimit(RLIMIT_NOFILE, &raised);
    unsetenv(VARIABLE);
    close(fd);
    refuse(u, u->argv[0], strerror(reason));
}

/* The loop still reads a signal that has come, before the next call; a signal
 * that comes from now on is for the new binary. A reload may add checks that
 * are not paused yet. */
static void on_pausing(uv_timer_t *timer) {
    struct upgrade *u = timer->data;

    services_pause(u->services);
    if (!u->holds_signals) {
        signals_hold();
        u->holds_signals = true;
        return;
    }
    if (children_count(u->children) == 0)
        execute(u);
    else if (uv_now(u->loop) >= u->give_up_ms)
        refuse(u, "exec checks", "a program does not end though it is killed");
    if (!u->under_way)
        services_resume(u->services);
}

static void on_checked(void *arg, const struct child_end *end) {
    struct upgrade *u = arg;
    char how[300];

    u->checking = NULL;
    if (end->error || end->status != 0) {
        child_describe(u->argv[0], end, how, sizeof(how));
        refuse(u, u->argv[0], how);
        return;
    }
    u->give_up_ms = uv_now(u->loop) + PAUSE_MS;
    uv_timer_start(&u->timer, on_pausing, 0, TICK_MS);
}

static void on_check_overrun(uv_timer_t *timer) {
    struct upgrade *u = timer->data;

    refuse(u, u->argv[0], "no answer to -k within 10 s");
}

/* Returns the command line with -k, or NULL without memory. The caller owns the
 * list, but not its strings. */
static char **check_command(char *const *argv) {
    static char check[] = "-k";
    size_t count = 0;
    char **command;

    while (argv[count])
        count++;
    command = calloc(count + 2, sizeof(*command));
    if (!command)
        return NULL;
    memcpy(command, argv, count * sizeof(*command));
    command[count] = check;
    return command;
}

void upgrade_open(struct upgrade *u) {
    uv_timer_init(u->loop, &u->timer);
    u->timer.data = u;
}

void upgrade_start(struct upgrade *u) {
    char **command;
    int error = ENOMEM;

    if (u->under_way)
        return;
    u->under_way = true;
    command = check_command(u->argv);
    if (command)
        u->checking = child_start(u->children, command, on_checked, u, &error);
    free(command);
    if (u->checking)
        uv_timer_start(&u->timer, on_check_overrun, CHECK_MS, 0);
    else
        refuse(u, u->argv[0], strerror(error));
}

void upgrade_close(struct upgrade *u) {
    upgrade_stop(u);
    uv_close((uv_handle_t *)&u->timer, NULL);
}

/* Returns everything that <fd> has, owned by the caller, or NULL. */
static char *read_state(int fd, size_t *length) {
    struct stat about;
    size_t done = 0;
    char *bytes;

    if (fstat(fd, &about) != 0 || about.st_size <= 0 ||
        about.st_size > BYTES_MAX)
        return NULL;
    *length = (size_t)about.st_size;
    bytes = malloc(*length);
    while (bytes && done < *length) {
        ssize_t count = pread(fd, bytes + done, *length - done, (off_t)done);

        if (count <= 0) {
            free(bytes);
            return NULL;
        }
        done += (size_t)count;
    }
    return bytes;
}

/* The client library's descriptors are not close-on-exec, and its threads may
 * open some until the moment of exec. So this side closes them. */
struct handover *upgrade_receive(struct error *err) {
    const char *number = getenv(VARIABLE);
    struct handover *from = NULL;
    size_t length = 0;
    char *bytes;

    if (!number)
        return NULL;
    bytes = read_state(atoi(number), &length);
    if (bytes)
        from = handover_read(bytes, length, err);
    else
        error_set(err, "what was handed over cannot be read");
    free(bytes);
    unsetenv(VARIABLE);
    closefrom(STDERR_FILENO + 1);
    return from;
}
