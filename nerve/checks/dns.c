/* dns.c - the addresses of a host, without blocking the loop
 *
 * The query runs in libuv's threads, on its own request.
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nerve/checks/dns.h"

#define FRESH_MS 30000 /* the age at which addresses are looked up again */

struct lookup {
    uv_getaddrinfo_t query; /* must not be freed while <querying> */
    uv_loop_t *loop;        /* borrowed */
    lookup_done_fn *done;
    void *arg;                  /* borrowed */
    struct addrinfo *addresses; /* owned, or NULL; lent to <done> */
    struct addrinfo *newer;     /* owned, or NULL; for the next start */
    uint64_t asked_at_ms;
    bool querying;
    bool wanted;    /* <done> is to be called */
    bool abandoned; /* to be freed when the query ends */
    bool numeric;   /* an address needs no query, ever */
    char port[8];
    char host[]; /* NUL-terminated */
};

struct lookup *lookup_new(uv_loop_t *loop, const char *host, int port,
                          lookup_done_fn *done, void *arg) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct lookup *l = calloc(1, sizeof(*l) + strlen(host) + 1);

    if (!l)
        return NULL;
    l->loop = loop;
    l->done = done;
    l->arg = arg;
    strcpy(l->host, host);
    snprintf(l->port, sizeof(l->port), "%d", port);
    l->numeric = getaddrinfo(host, l->port, &hints, &l->addresses) == 0;
    return l;
}

/* Takes the result of the last query. */
static void renew(struct lookup *l) {
    if (!l->newer)
        return;
    if (l->addresses)
        freeaddrinfo(l->addresses);
    l->addresses = l->newer;
    l->newer = NULL;
}

static void destroy(struct lookup *l) {
    renew(l);
    if (l->addresses)
        freeaddrinfo(l->addresses);
    free(l);
}

static void on_answer(uv_getaddrinfo_t *query, int status,
                      struct addrinfo *addresses) {
    struct lookup *l = query->data;

    l->querying = false;
    if (status == 0)
        l->newer = addresses;
    if (l->abandoned) {
        destroy(l);
        return;
    }
    if (!l->wanted)
        return;
    l->wanted = false;
    renew(l);
    l->done(l->arg, l->addresses, status);
}

static int ask(struct lookup *l) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int status;

    l->query.data = l;
    l->asked_at_ms = uv_now(l->loop);
    status =
        uv_getaddrinfo(l->loop, &l->query, on_answer, l->host, l->port, &hints);
    l->querying = status == 0;
    return status;
}

void lookup_start(struct lookup *l) {
    bool old = uv_now(l->loop) - l->asked_at_ms > FRESH_MS;
    int status = 0;

    if (!l->querying) {
        renew(l);
        if (!l->numeric && (old || !l->addresses))
            status = ask(l);
    }
    if (l->addresses)
        l->done(l->arg, l->addresses, 0);
    else if (status != 0)
        l->done(l->arg, NULL, status);
    else
        l->wanted = true;
}

void lookup_cancel(struct lookup *l) { l->wanted = false; }

void lookup_free(struct lookup *l) {
    if (!l)
        return;
    l->abandoned = true;
    if (!l->querying)
        destroy(l);
    else
        uv_cancel((uv_req_t *)&l->query);
}
