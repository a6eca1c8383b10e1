/* checks.c - the floor of nerve's http checks: the same number of them, by
 * nothing but system calls
 *
 *   checks HOST PORT
 *
 * Each line "RATE SECONDS" on standard input makes that many requests a second
 * for so long, evenly, each on a connection of its own, and is answered by the
 * microseconds of processor time that took.
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "csrc/base/clock.h"

static const char request[] = "GET /health HTTP/1.1\r\nHost: floor\r\n\r\n";

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* Makes one request; a status other than 200 ends the program. */
static void check(const struct sockaddr_in *to) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[4096];

    if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 ||
        write(fd, request, sizeof(request) - 1) < 0 ||
        read(fd, answer, sizeof(answer)) < 12)
        fail("check");
    if (memcmp(answer + 9, "200", 3) != 0)
        fail("status");
    close(fd);
}

static int64_t used_us(void) {
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL +
           used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static void run(const struct sockaddr_in *to, int64_t rate, int64_t seconds) {
    int64_t start = clock_us(), due;

    for (int64_t i = 0; i < rate * seconds; i++) {
        due = start + i * 1000000 / rate;
        if (due > clock_us())
            usleep((useconds_t)(due - clock_us()));
        check(to);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    int64_t rate, seconds, before;

    if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        return 2;
    to.sin_port = htons((uint16_t)atoi(argv[2]));
    while (scanf("%" SCNd64 " %" SCNd64, &rate, &seconds) == 2) {
        before = used_us();
        run(&to, rate, seconds);
        printf("%" PRId64 "\n", used_us() - before);
        fflush(stdout);
    }
    return 0;
}
