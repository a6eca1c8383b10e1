/* statsd.c - sends metrics to dogstatsd, one datagram for each
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "csrc/base/text.h"
#include "nerve/measure/statsd.h"

#define VALUE_MAX 128 /* bytes of a tag's value */

/* Appends a tag's value. Returns the new length. */
static size_t add_value(char *line, size_t length, const char *value) {
    for (size_t i = 0; value[i] && i < VALUE_MAX; i++) {
        unsigned char byte = (unsigned char)value[i];

        if (length + 1 >= STATSD_LINE_MAX)
            break;
        line[length++] = byte < 0x20 || strchr(",|#", byte) ? '_' : (char)byte;
    }
    return length;
}

size_t statsd_line(char line[STATSD_LINE_MAX], const char *name,
                   const char *type, uint64_t value, va_list tags) {
    size_t length = (size_t)snprintf(line, STATSD_LINE_MAX, "%s:%" PRIu64 "|%s",
                                     name, value, type);
    const char *before = "|#", *tag;

    for (; (tag = va_arg(tags, const char *)); before = ",") {
        const char *text = va_arg(tags, const char *);

        if (length + strlen(before) + strlen(tag) + 1 >= STATSD_LINE_MAX)
            return 0;
        length += (size_t)sprintf(line + length, "%s%s:", before, tag);
        length = add_value(line, length, text);
    }
    return length < STATSD_LINE_MAX - 1 ? length : 0;
}

void statsd_cluster(const char *hosts, char *out, size_t size) {
    size_t host = strcspn(hosts, ",");
    size_t length = strcspn(hosts, ".,");

    while (length > 0 && hosts[length - 1] >= '0' && hosts[length - 1] <= '9')
        length--;
    if (length == 0)
        length = host;
    snprintf(out, size, "%.*s", (int)length, hosts);
}

#define WAITING_MAX 16384 /* bytes that are kept until the host is known */
#define UNKNOWN_MS  1000  /* from a lookup that failed to the next one */

struct statsd {
    uv_loop_t *loop;                  /* borrowed */
    const struct statsd_names *names; /* borrowed */
    struct lookup *lookup;            /* owned; NULL: nothing is sent */
    struct text waiting;              /* lines, each with its newline */
    char *host;                       /* owned, or NULL */
    int port;
    int fd; /* owned; -1: none yet */
    int family;
    uint64_t unknown_until_ms;
    uint64_t lost;
};

struct statsd *statsd_new(uv_loop_t *loop, const struct statsd_names *names) {
    struct statsd *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->loop = loop;
    s->names = names;
    s->fd = -1;
    return s;
}

static void close_socket(struct statsd *s) {
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* airbnb's nerve sends over IPv4, and most agents listen on IPv4 only. */
static const struct addrinfo *choose(const struct addrinfo *addresses) {
    for (const struct addrinfo *a = addresses; a; a = a->ai_next)
        if (a->ai_family == AF_INET)
            return a;
    return addresses;
}

static bool send_line(struct statsd *s, const struct addrinfo *to,
                      const char *line, size_t length) {
    if (s->fd >= 0 && s->family != to->ai_family)
        close_socket(s);
    if (s->fd < 0)
        s->fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    s->family = to->ai_family;
    return s->fd >= 0 &&
           sendto(s->fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL, to->ai_addr,
                  to->ai_addrlen) == (ssize_t)length;
}

/* Sends the lines that wait, or drops them if there is no address. */
static void on_addresses(void *arg, const struct addrinfo *addresses,
                         int status) {
    struct statsd *s = arg;
    const struct addrinfo *to = choose(addresses);
    const char *line = s->waiting.data;
    size_t left = s->waiting.length, length;

    (void)status;
    if (!to)
        s->unknown_until_ms = uv_now(s->loop) + UNKNOWN_MS;
    for (; left > 0; line += length + 1, left -= length + 1) {
        length = strcspn(line, "\n");
        if (!to || !send_line(s, to, line, length))
            s->lost++;
    }
    s->waiting.length = 0;
}

int statsd_use(struct statsd *s, const char *host, int port) {
    bool same = host && s->host && strcmp(host, s->host) == 0;

    if (same && port == s->port)
        return 0;
    s->names->free(s->lookup);
    free(s->host);
    s->waiting.length = 0;
    s->unknown_until_ms = 0;
    s->lookup = NULL;
    s->host = host ? strdup(host) : NULL;
    s->port = port;
    if (s->host)
        s->lookup = s->names->look_up(s->loop, host, port, on_addresses, s);
    return host && !s->lookup ? -1 : 0;
}

static void add_metric(struct statsd *s, const char *name, const char *type,
                       uint64_t value, va_list tags) {
    char line[STATSD_LINE_MAX];
    size_t length = statsd_line(line, name, type, value, tags);

    if (length == 0 || s->waiting.length + length > WAITING_MAX ||
        uv_now(s->loop) < s->unknown_until_ms) {
        s->lost++;
        return;
    }
    line[length++] = '\n';
    text_add(&s->waiting, line, length);
    s->names->start(s->lookup);
}

void statsd_count(struct statsd *s, const char *name, ...) {
    va_list tags;

    if (!s || !s->lookup)
        return;
    va_start(tags, name);
    add_metric(s, name, "c", 1, tags);
    va_end(tags);
}

void statsd_time(struct statsd *s, const char *name, uint64_t ms, ...) {
    va_list tags;

    if (!s || !s->lookup)
        return;
    va_start(tags, ms);
    add_metric(s, name, "ms", ms, tags);
    va_end(tags);
}

uint64_t statsd_lost(const struct statsd *s) { return s->lost; }

void statsd_close(struct statsd *s) {
    if (!s)
        return;
    s->names->free(s->lookup);
    close_socket(s);
    text_close(&s->waiting);
    free(s->host);
    free(s);
}
