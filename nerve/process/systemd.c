/* systemd.c - tells the service manager the state of nerve, as sd_notify(3)
 * does
 *
 * Without libsystemd, which would be a whole library for one datagram.
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "nerve/process/systemd.h"

static void tell(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    int fd;

    if (length == 0 || length >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, length);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* a name outside of the file system */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
}

uint64_t notify_interval(char *(*getenv_fn)(const char *name), long pid) {
    const char *usec = getenv_fn("WATCHDOG_USEC");
    const char *whose = getenv_fn("WATCHDOG_PID");
    uint64_t interval = usec ? strtoull(usec, NULL, 10) / 2000 : 0;

    return !whose || strtol(whose, NULL, 10) == pid ? interval : 0;
}

static void on_timer(uv_timer_t *timer) {
    (void)timer;
    tell("WATCHDOG=1");
}

void notify_open(uv_loop_t *loop, uv_timer_t *timer) {
    uint64_t interval = notify_interval(getenv, getpid());

    uv_timer_init(loop, timer);
    if (interval > 0)
        uv_timer_start(timer, on_timer, 0, interval);
}

void notify_ready(void) { tell("READY=1"); }

void notify_stopping(void) { tell("STOPPING=1"); }

void notify_reloading(void) {
    struct timespec now;
    char state[60];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
             (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(state);
}
