/* check_tcp.c - passes when a connection is made
 * SPDX-License-Identifier: MIT
 */
#include <netdb.h>
#include <stdlib.h>

#include "nerve/check_type.h"

/* One connection on its way. It outlives the check until libuv closed it. */
struct attempt {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct tcp_check *owner; /* borrowed; NULL once it was given up */
};

struct tcp_check {
    struct check base;
    struct attempt *attempt; /* owned by libuv, or NULL */
};

static void on_closed(uv_handle_t *tcp) { free(tcp->data); }

/* Gives the attempt up, whatever it has come to. */
static void drop_attempt(struct check *c) {
    struct tcp_check *t = (struct tcp_check *)c;

    if (!t->attempt)
        return;
    t->attempt->owner = NULL;
    uv_close((uv_handle_t *)&t->attempt->tcp, on_closed);
    t->attempt = NULL;
}

static void on_connect(uv_connect_t *connect, int status) {
    struct attempt *a = connect->data;
    struct check *c = (struct check *)a->owner;

    if (!c)
        return;
    drop_attempt(c);
    if (status == 0)
        check_attempt_ended(c, true, NULL);
    else
        check_attempt_refused(c, uv_strerror(status));
}

static void attempt_tcp(struct check *c, const struct addrinfo *address) {
    struct tcp_check *t = (struct tcp_check *)c;
    struct attempt *a = calloc(1, sizeof(*a));
    int status;

    if (!a) {
        check_attempt_ended(c, false, "out of memory");
        return;
    }
    t->attempt = a;
    a->owner = t;
    a->tcp.data = a;
    a->connect.data = a;
    uv_tcp_init(c->env.loop, &a->tcp);
    status = uv_tcp_connect(&a->connect, &a->tcp, address->ai_addr, on_connect);
    if (status == 0)
        return;
    drop_attempt(c);
    check_attempt_refused(c, uv_strerror(status));
}

static int open_tcp(struct check *c) {
    (void)c;
    return 0;
}

const struct check_type check_tcp = {
    .size = sizeof(struct tcp_check),
    .open = open_tcp,
    .attempt = attempt_tcp,
    .cancel = drop_attempt,
    .close = drop_attempt,
};
