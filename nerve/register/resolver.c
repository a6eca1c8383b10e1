/* resolver.c - the addresses of an ensemble's servers, without blocking the
 * loop
 *
 *   resolve()   the thread of a query; until it ends it alone touches <numeric>
 *               and <err>
 *   all others  the loop's
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "csrc/base/worker.h"
#include "csrc/zookeeper/hosts.h"
#include "nerve/register/resolver.h"

struct resolver {
    uv_thread_t thread;
    uv_async_t ended;
    resolver_done_fn *done; /* NULL once it is abandoned */
    void *arg;              /* borrowed */
    char *numeric;          /* owned; the result, or NULL */
    struct error err;
    int status;   /* of the thread's start */
    char hosts[]; /* NUL-terminated */
};

static void resolve(void *arg) {
    struct resolver *r = arg;

    r->numeric = hosts_resolve(r->hosts, &r->err);
    uv_async_send(&r->ended);
}

static void on_closed(uv_handle_t *ended) {
    struct resolver *r = ended->data;

    free(r->numeric);
    free(r);
}

static void on_ended(uv_async_t *ended) {
    struct resolver *r = ended->data;

    uv_thread_join(&r->thread);
    if (r->done)
        r->done(r->arg, r->numeric, &r->err);
    uv_close((uv_handle_t *)ended, on_closed);
}

static void start_thread(void *arg) {
    struct resolver *r = arg;

    r->status = uv_thread_create(&r->thread, resolve, r);
}

struct resolver *resolver_start(uv_loop_t *loop, const char *hosts,
                                resolver_done_fn *done, void *arg,
                                struct error *err) {
    struct resolver *r = calloc(1, sizeof(*r) + strlen(hosts) + 1);

    if (!r) {
        error_set(err, "out of memory");
        return NULL;
    }
    strcpy(r->hosts, hosts);
    r->done = done;
    r->arg = arg;
    r->ended.data = r;
    uv_async_init(loop, &r->ended, on_ended);
    worker_without_signals(start_thread, r);
    if (r->status == 0)
        return r;
    error_set(err, "no thread for the names: %s", uv_strerror(r->status));
    uv_close((uv_handle_t *)&r->ended, on_closed);
    return NULL;
}

void resolver_abandon(struct resolver *r) {
    if (r)
        r->done = NULL;
}
