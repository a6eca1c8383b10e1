/* hosts.c - the list of an ensemble's servers, as the client library wants it
 *
 * Inside a chroot libc finds no DNS, and every client of the library would pick
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
#include "csrc/base/resolver.h"
#include "csrc/zookeeper/hosts.h"

#define MAX_ADDRESSES 64
#define ADDRESS_SIZE  80

struct addresses {
    char text[MAX_ADDRESSES][ADDRESS_SIZE];
    size_t count;
};

/* A server whose addresses are being looked up. */
struct server {
    struct addresses *list; /* borrowed; where they go */
    char *port;             /* borrowed */
};

/* Adds an address of <arg>, a server. */
static void add(void *arg, const char *address) {
    const struct server *server = arg;
    struct addresses *list = server->list;
    char text[ADDRESS_SIZE];

    snprintf(text, sizeof(text), strchr(address, ':') ? "[%s]:%s" : "%s:%s",
             address, server->port);
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

/* Looks <host> up by libc. Returns NULL, or words for people. */
static const char *find_by_libc(const char *host, struct server *server) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *infos = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &infos);

    if (rc != 0)
        return gai_strerror(rc);
    for (const struct addrinfo *info = infos; info; info = info->ai_next) {
        char address[64];

        if (getnameinfo(info->ai_addr, info->ai_addrlen, address,
                        sizeof(address), NULL, 0, NI_NUMERICHOST) == 0)
            add(server, address);
    }
    freeaddrinfo(infos);
    return NULL;
}

/* Adds a name without an address to those of <missing>. */
static void add_missing(struct error *missing, const char *host,
                        const char *why) {
    struct error before = *missing;

    missing->text[0] = '\0';
    error_set(missing, "%s%s%s: %s", before.text, before.text[0] ? ", " : "",
              host, why);
}

static int resolve_server(struct addresses *list, char *text,
                          struct resolver *resolver, struct error *err) {
    struct server server = {.list = list};
    const char *host = split(text, &server.port);
    const char *why;

    if (!host) {
        err->text[0] = '\0';
        error_set(err, "%s: not host:port with a port of 1 to 65535", text);
        return -1;
    }
    why = resolver ? resolver_find(resolver, host, add, &server)
                   : find_by_libc(host, &server);
    if (why)
        add_missing(err, host, why);
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
    return hosts_resolve_by(NULL, hosts, err);
}

char *hosts_resolve_by(struct resolver *resolver, const char *hosts,
                       struct error *err) {
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
    for (char *text = strtok_r(copy, ", ", &rest); text;
         text = strtok_r(NULL, ", ", &rest)) {
        if (resolve_server(&list, text, resolver, &first) != 0)
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

bool hosts_have(const char *hosts, const char *server, size_t length) {
    return has_server(hosts, strcspn(hosts, "/"), server, length);
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
