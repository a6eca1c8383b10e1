/* checks.c - the floor of nerve's http checks: the same number of them, by
 * nothing but system calls
 *
 *   checks HOST PORT
 *
 * Each line "RATE SECONDS" on standard input makes that many requests a second
 * for so long, evenly, each on a connection of its own. It is answered by the
 * microseconds of processor time that took, how many requests were made, how
 * late they started on average, in microseconds, and how many of them by more
 * than 50 ms. A machine that is too slow for the rate gets half as long again;
 * the requests that are left then are not made.
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "csrc/base/clock.h"

#define LATE_US 50000

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

struct looks {
    int64_t made, late_us, late;
};

/* Waits until <due_us>, which may be past, and returns how late that is. The
 * moment is given to the kernel: what is left until then could be negative by
 * the time it is computed. */
static int64_t wait_until(int64_t due_us) {
    struct timespec due = {.tv_sec = due_us / 1000000,
                           .tv_nsec = due_us % 1000000 * 1000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
        ;
    return clock_us() - due_us;
}

static struct looks run(const struct sockaddr_in *to, int64_t rate,
                        int64_t seconds) {
    int64_t start = clock_us(), end = start + seconds * 1500000, late;
    struct looks looks = {0};

    do {
        late = wait_until(start + looks.made * 1000000 / rate);
        looks.made++;
        looks.late_us += late;
        looks.late += late > LATE_US;
        check(to);
    } while (looks.made < rate * seconds && clock_us() < end);
    return looks;
}

int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    int64_t rate, seconds, before;
    struct looks looks;

    if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        return 2;
    to.sin_port = htons((uint16_t)atoi(argv[2]));
    while (scanf("%" SCNd64 " %" SCNd64, &rate, &seconds) == 2) {
        if (rate < 1 || seconds < 1)
            return 2;
        before = used_us();
        looks = run(&to, rate, seconds);
        printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
               used_us() - before, looks.made, looks.late_us / looks.made,
               looks.late);
        fflush(stdout);
    }
    return 0;
}
