/* resolver.c - the addresses of names, in a process that has changed its root
 *
 *   one thread    resolver_find()
 *   any           resolver_stop(), which sets <stopped> and nothing else
 * SPDX-License-Identifier: MIT
 */
#include <sys/types.h>

#include <netinet/in.h>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fcntl.h>
#include <netdb.h>
#include <resolv.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "csrc/base/resolver.h"

#define ANSWER_SIZE  4096
#define ROUNDS       2 /* through all name servers, */
#define WAIT_SECONDS 1 /* for so long each */
#define SPACES       " \t\r\n"

struct resolver {
    struct __res_state state;
    int directory; /* of the hosts file; -1: there is none */
    atomic_bool stopped;
};

struct resolver *resolver_new(const char *directory) {
    struct resolver *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    if (res_ninit(&r->state) != 0) {
        free(r);
        return NULL;
    }
    r->state.options |= RES_NORELOAD;
    r->state.retrans = WAIT_SECONDS;
    r->state.retry = 1;
    r->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return r;
}

static bool is_address(const char *text) {
    struct in6_addr address;

    return inet_pton(AF_INET, text, &address) == 1 ||
           inet_pton(AF_INET6, text, &address) == 1;
}

/* Returns the address that <line> of a hosts file gives to <name>, or NULL. The
 * line is changed. */
static const char *address_for(char *line, const char *name) {
    const char *address;
    char *rest, *word;

    line[strcspn(line, "#")] = '\0';
    address = strtok_r(line, SPACES, &rest);
    if (!address || !is_address(address))
        return NULL;
    while ((word = strtok_r(NULL, SPACES, &rest)))
        if (strcasecmp(word, name) == 0)
            return address;
    return NULL;
}

/* Returns how many addresses the hosts file has for <name>. */
static int find_in_file(const struct resolver *r, const char *name,
                        resolver_found_fn *found, void *arg) {
    int fd = openat(r->directory, "hosts", O_RDONLY | O_CLOEXEC);
    FILE *file = fd == -1 ? NULL : fdopen(fd, "r");
    char *line = NULL;
    size_t size = 0;
    int count = 0;

    if (!file) {
        if (fd != -1)
            close(fd);
        return 0;
    }
    while (getline(&line, &size, file) != -1) {
        const char *address = address_for(line, name);

        if (address) {
            found(arg, address);
            count++;
        }
    }
    free(line);
    fclose(file);
    return count;
}

/* Returns how many addresses of <type> an answer has. */
static int read_answer(const unsigned char *answer, int length, ns_type type,
                       resolver_found_fn *found, void *arg) {
    int family = type == ns_t_a ? AF_INET : AF_INET6;
    size_t size =
        type == ns_t_a ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    int count = 0;
    ns_msg message;

    if (ns_initparse(answer, length, &message) != 0)
        return 0;
    for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
        char text[INET6_ADDRSTRLEN];
        ns_rr record;

        if (ns_parserr(&message, ns_s_an, i, &record) != 0)
            break;
        if (ns_rr_type(record) != type || ns_rr_rdlen(record) != size)
            continue;
        inet_ntop(family, ns_rr_rdata(record), text, sizeof(text));
        found(arg, text);
        count++;
    }
    return count;
}

/* Asks for the addresses of <type>. Returns how many there are; if there are
 * none, <reason> is netdb.h's. */
static int ask(struct resolver *r, const char *name, ns_type type, int *reason,
               resolver_found_fn *found, void *arg) {
    unsigned char answer[ANSWER_SIZE];
    int length = -1;
    int count;

    *reason = TRY_AGAIN;
    for (int i = 0; i < ROUNDS && *reason == TRY_AGAIN; i++) {
        if (atomic_load(&r->stopped))
            return 0;
        length =
            res_nsearch(&r->state, name, ns_c_in, type, answer, sizeof(answer));
        *reason = length == -1 ? r->state.res_h_errno : NETDB_SUCCESS;
    }
    if (length == -1)
        return 0;
    if (length > ANSWER_SIZE)
        length = ANSWER_SIZE;
    count = read_answer(answer, length, type, found, arg);
    if (count == 0)
        *reason = NO_DATA;
    return count;
}

/* The words that getaddrinfo() has. */
static const char *words_for(int reason) {
    if (reason == HOST_NOT_FOUND)
        return gai_strerror(EAI_NONAME);
    if (reason == NO_DATA)
        return gai_strerror(EAI_NODATA);
    return gai_strerror(EAI_AGAIN);
}

const char *resolver_find(struct resolver *r, const char *name,
                          resolver_found_fn *found, void *arg) {
    int count, reason, other;

    if (is_address(name)) {
        found(arg, name);
        return NULL;
    }
    if (find_in_file(r, name, found, arg) > 0)
        return NULL;
    count = ask(r, name, ns_t_a, &reason, found, arg);
    if (reason == NETDB_SUCCESS || reason == NO_DATA)
        count += ask(r, name, ns_t_aaaa, &other, found, arg);
    return count > 0 ? NULL : words_for(reason);
}

void resolver_stop(struct resolver *r) { atomic_store(&r->stopped, true); }

void resolver_free(struct resolver *r) {
    if (!r)
        return;
    res_nclose(&r->state);
    if (r->directory != -1)
        close(r->directory);
    free(r);
}
