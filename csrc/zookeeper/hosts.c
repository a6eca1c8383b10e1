/* hosts.c - the list of an ensemble's servers, as the client library wants it
 *
 * Inside a chroot there is no DNS, and every client of the library would pick
 * its first server by the process number there (no /dev/urandom): so names
 * are resolved beforehand and the order is shuffled here.
 * SPDX-License-Identifier: MIT
 */
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "csrc/base/error.h"
#include "csrc/zookeeper/hosts.h"

#define MAX_ADDRESSES 64
#define ADDRESS_SIZE  80

struct addresses {
    char text[MAX_ADDRESSES][ADDRESS_SIZE];
    size_t count;
};

static void add(struct addresses *list, const struct addrinfo *info,
                const char *port) {
    char host[64];
    char text[ADDRESS_SIZE];

    if (getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof(host), NULL,
                    0, NI_NUMERICHOST) != 0)
        return;
    snprintf(text, sizeof(text),
             info->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->text[i], text) == 0)
            return;
    if (list->count < MAX_ADDRESSES)
        strcpy(list->text[list->count++], text);
}

static bool is_port(const char *text) {
    char *end;
    long port = strtol(text, &end, 10);

    return *text >= '0' && *text <= '9' && *end == '\0' && end - text <= 5 &&
           port > 0 && port <= 65535;
}

/* Cuts "host:port", "[v6]:port" or "v6:port" into two. Returns the host, or
 * NULL; <server> is changed. */
static char *split(char *server, char **port) {
    char *colon = strrchr(server, ':');
    char *host = server;

    if (!colon || colon == server || !is_port(colon + 1))
        return NULL;
    *colon = '\0';
    *port = colon + 1;
    if (*host == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        host++;
    }
    return host;
}

static int resolve_server(struct addresses *list, char *server,
                          struct error *err) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *infos = NULL;
    char *port;
    char *host = split(server, &port);
    int rc;

    if (!host) {
        error_set(err, "%s: not host:port with a port of 1 to 65535", server);
        return -1;
    }
    rc = getaddrinfo(host, NULL, &hints, &infos);
    if (rc != 0) {
        error_set(err, "%s: %s", host, gai_strerror(rc));
        return 0;
    }
    for (const struct addrinfo *info = infos; info; info = info->ai_next)
        add(list, info, port);
    freeaddrinfo(infos);
    return 0;
}

static void shuffle(struct addresses *list) {
    for (size_t i = list->count; i > 1; i--) {
        unsigned int random = 0;
        char swap[ADDRESS_SIZE];
        size_t other;

        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
            return;
        other = random % i;
        memcpy(swap, list->text[i - 1], ADDRESS_SIZE);
        memmove(list->text[i - 1], list->text[other], ADDRESS_SIZE);
        memcpy(list->text[other], swap, ADDRESS_SIZE);
    }
}

static char *join(const struct addresses *list, const char *chroot) {
    size_t size = list->count * ADDRESS_SIZE + strlen(chroot) + 1;
    char *text = malloc(size);
    char *to = text;

    if (!text)
        return NULL;
    *to = '\0';
    for (size_t i = 0; i < list->count; i++)
        to += sprintf(to, "%s%s", i > 0 ? "," : "", list->text[i]);
    strcpy(to, chroot);
    return text;
}

char *hosts_resolve(const char *hosts, struct error *err) {
    struct addresses list = {.count = 0};
    struct error first = {.text = ""};
    char *copy = strdup(hosts);
    char *chroot = copy ? strchr(copy, '/') : NULL;
    char *chroot_text = NULL;
    char *rest;
    char *result = NULL;

    if (chroot)
        chroot_text = strdup(chroot);
    if (!copy || (chroot && !chroot_text)) {
        error_set(&first, "%s: out of memory", hosts);
        goto done;
    }
    if (chroot)
        *chroot = '\0';
    for (char *server = strtok_r(copy, ", ", &rest); server;
         server = strtok_r(NULL, ", ", &rest)) {
        if (resolve_server(&list, server, &first) != 0)
            goto done;
    }
    if (list.count == 0)
        goto done;
    shuffle(&list);
    result = join(&list, chroot_text ? chroot_text : "");
    if (!result)
        error_set(&first, "%s: out of memory", hosts);

done:
    if (first.text[0])
        error_set(err, "%s", first.text);
    else if (!result)
        error_set(err, "no host given");
    free(chroot_text);
    free(copy);
    return result;
}

char *hosts_copy(const char *hosts) {
    const char *from = hosts;
    char *copy = strdup(hosts);
    char *to = copy;

    if (!copy)
        return NULL;
    for (; *from && *from != '/'; from++)
        if (*from != '[' && *from != ']')
            *to++ = *from;
    strcpy(to, from);
    for (to += strlen(to); to > copy && to[-1] == '/'; to--)
        to[-1] = '\0';
    return copy;
}

/* Tells whether <server> of <length> bytes is one of the <count> bytes of
 * <list>. */
static bool has_server(const char *list, size_t count, const char *server,
                       size_t length) {
    const char *end = list + count;

    while (list < end) {
        size_t next = strcspn(list, ",/");

        if (next == length && memcmp(list, server, length) == 0)
            return true;
        list += next + 1;
    }
    return false;
}

static bool has_servers(const char *all, size_t all_length, const char *some,
                        size_t some_length) {
    const char *end = some + some_length;

    while (some < end) {
        size_t length = strcspn(some, ",/");

        if (!has_server(all, all_length, some, length))
            return false;
        some += length + 1;
    }
    return true;
}

bool hosts_equal(const char *a, const char *b) {
    size_t a_length = strcspn(a, "/"), b_length = strcspn(b, "/");

    return strcmp(a + a_length, b + b_length) == 0 &&
           has_servers(a, a_length, b, b_length) &&
           has_servers(b, b_length, a, a_length);
}

static void reverse(char *from, char *to) {
    while (from < to) {
        char swap = *from;

        *from++ = *--to;
        *to = swap;
    }
}

/* "a,b,c" with both parts reversed is "a,c,b"; reversed as a whole "b,c,a". */
void hosts_rotate(char *hosts) {
    char *end = hosts + strcspn(hosts, "/");
    char *comma = memchr(hosts, ',', (size_t)(end - hosts));

    if (!comma)
        return;
    reverse(hosts, comma);
    reverse(comma + 1, end);
    reverse(hosts, end);
}
