/* connect.h - connects a floor to HAProxy's runtime API
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_BENCH_CONNECT_H
#define TESTS_BENCH_CONNECT_H

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Returns a connection to the Unix socket <path>. Calls <die>, which ends the
 * program, if there is none. */
static inline int connect_unix(const char *path, void (*die)(const char *)) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path))
        die("the socket's path is too long");
    strcpy(address.sun_path, path);
    if (fd < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("no connection to the runtime API");
    return fd;
}

#endif
