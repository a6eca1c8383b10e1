/* test_handle.c - tests of csrc/zookeeper/handle.c, with the client library's
 * part played: the functions below take the place of its own
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <zookeeper/zookeeper.h>

#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "csrc/zookeeper/handle.h"

#define SESSION 0x77

/* The library's handle. <changes> happens when the state is asked for. */
static struct {
    clientid_t id;
    int state;
    void (*changes)(int look);
    int looks; /* at the state, so far */
    int closed;
    int flags;
    char servers[100];
    char path[100]; /* of the last request */
    watcher_fn watcher;
    void *context;
    string_completion_t created;
    const void *data;
} lib;

zhandle_t *zookeeper_init2(const char *host, watcher_fn fn, int recv_timeout,
                           const clientid_t *clientid, void *context, int flags,
                           log_callback_fn log_callback) {
    (void)recv_timeout;
    (void)log_callback;
    lib.flags = flags;
    strncpy(lib.servers, host, sizeof(lib.servers) - 1);
    lib.watcher = fn;
    lib.context = context;
    if (clientid)
        lib.id = *clientid;
    return (zhandle_t *)&lib;
}

int zoo_state(zhandle_t *zh) {
    (void)zh;
    if (lib.changes)
        lib.changes(lib.looks++);
    return lib.state;
}

const clientid_t *zoo_client_id(zhandle_t *zh) {
    (void)zh;
    return &lib.id;
}

int zookeeper_close(zhandle_t *zh) {
    (void)zh;
    lib.closed++;
    return ZOK;
}

int zoo_acreate(zhandle_t *zh, const char *path, const char *value,
                int valuelen, const struct ACL_vector *acl, int mode,
                string_completion_t completion, const void *data) {
    (void)zh;
    (void)value;
    (void)valuelen;
    (void)acl;
    (void)mode;
    strncpy(lib.path, path, sizeof(lib.path) - 1);
    lib.created = completion;
    lib.data = data;
    return ZOK;
}

int zoo_awexists(zhandle_t *zh, const char *path, watcher_fn watcher,
                 void *context, stat_completion_t completion,
                 const void *data) {
    (void)zh;
    (void)completion;
    (void)data;
    strncpy(lib.path, path, sizeof(lib.path) - 1);
    lib.watcher = watcher;
    lib.context = context;
    return ZOK;
}

void zoo_set_log_stream(FILE *stream) { (void)stream; }
void zoo_set_debug_level(ZooLogLevel level) { (void)level; }
void zoo_deterministic_conn_order(int yes) { (void)yes; }

int zoo_set_servers_resolution_delay(zhandle_t *zh, int delay_ms) {
    (void)zh;
    (void)delay_ms;
    return ZOK;
}

static struct queue *queue;
static struct worker *worker;
static struct handle *handle;

static void open_handle(const char *hosts) {
    struct session_identity resume = {.id = SESSION};
    struct handle_options options = {.queue = queue,
                                     .worker = worker,
                                     .session = 1,
                                     .generation = 1,
                                     .hosts = hosts,
                                     .timeout_ms = 10000,
                                     .resume = &resume};

    handle = handle_open(&options);
    assert_non_null(handle);
}

static int setup(void **state) {
    (void)state;
    memset(&lib, 0, sizeof(lib));
    queue = queue_new(100);
    worker = worker_new();
    return queue && worker ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    worker_free(worker);
    queue_free(queue);
    return 0;
}

/* Closes the handle, and returns how often the library's was closed. */
static int close_it(void) {
    lib.changes = NULL;
    handle_close(handle, worker);
    worker_free(worker);
    worker = worker_new();
    return lib.closed;
}

/* ---- the chroot */

static void send_it(enum event_op op, const char *path, int mode) {
    struct request *r = request_new(op, 0, path, "", 0);

    r->mode = mode;
    r->watch = op == OP_EXISTS;
    assert_int_equal(handle_send(handle, r), 0);
}

/* The library put the chroot before every path, so that nobody could make the
 * chroot itself. */
static void puts_the_chroot_before_each_path_but_absolute_ones(void **state) {
    (void)state;
    open_handle("10.0.0.1:2181,10.0.0.2:2181/top/own");
    assert_string_equal(lib.servers, "10.0.0.1:2181,10.0.0.2:2181");
    assert_int_equal(lib.flags, ZOO_NO_LOG_CLIENTENV);
    send_it(OP_EXISTS, "/a", 0);
    assert_string_equal(lib.path, "/top/own/a");
    send_it(OP_EXISTS, "/", 0);
    assert_string_equal(lib.path, "/top/own");
    send_it(OP_CREATE, "/a", 0);
    assert_string_equal(lib.path, "/top/own/a");
    send_it(OP_CREATE, "/top", CREATE_ABSOLUTE);
    assert_string_equal(lib.path, "/top");
    assert_int_equal(close_it(), 1);
}

static void takes_the_chroot_off_what_servers_tell(void **state) {
    struct event *ev;

    (void)state;
    open_handle("10.0.0.1:2181/top");
    send_it(OP_CREATE, "/a/i_", CREATE_SEQUENTIAL);
    lib.created(ZOK, "/top/a/i_0000000001", lib.data);
    ev = queue_pop(queue);
    assert_string_equal(ev->path, "/a/i_");
    assert_string_equal(ev->data, "/a/i_0000000001");
    handle_finish(handle, ev->origin);
    event_free(ev);
    send_it(OP_EXISTS, "/a", 0);
    lib.watcher(NULL, ZOO_DELETED_EVENT, 0, "/top/a", lib.context);
    ev = queue_pop(queue);
    assert_string_equal(ev->path, "/a");
    event_free(ev);
    assert_int_equal(close_it(), 1);
}

/* ---- a handle is given up, and the library's thread is there too */

static void connect_at_the_second_look(int look) {
    lib.state = look < 1 ? ZOO_CONNECTING_STATE : ZOO_CONNECTED_STATE;
}

static void expire_at_the_third_look(int look) {
    connect_at_the_second_look(look);
    if (look >= 2)
        lib.state = ZOO_EXPIRED_SESSION_STATE;
}

static void a_connected_handle_is_left_as_it_was(void **state) {
    (void)state;
    open_handle("10.0.0.1:2181");
    lib.state = ZOO_CONNECTED_STATE;
    assert_false(handle_abandon(handle));
    assert_int_equal(lib.id.client_id, SESSION);
    assert_int_equal(close_it(), 1);
}

static void one_that_connects_meanwhile_gets_its_identity_back(void **state) {
    (void)state;
    open_handle("10.0.0.1:2181");
    lib.changes = connect_at_the_second_look;
    assert_false(handle_abandon(handle));
    assert_int_equal(lib.id.client_id, SESSION);
    assert_int_equal(close_it(), 1);
}

/* It lost its connection while its identity was another, and took the answer
 * to the next one for an expiry: the live session was taken for dead. */
static void one_that_is_misled_meanwhile_is_given_up(void **state) {
    (void)state;
    open_handle("10.0.0.1:2181");
    lib.changes = expire_at_the_third_look;
    assert_true(handle_abandon(handle));
    assert_int_equal(close_it(), 1);
}

/* It had compared the identities before they were changed, connected, and was
 * closed: that ended the session which the next handle had resumed. */
static void one_that_connects_all_the_same_is_not_closed(void **state) {
    (void)state;
    open_handle("10.0.0.1:2181");
    lib.state = ZOO_CONNECTING_STATE;
    assert_true(handle_abandon(handle));
    lib.id.client_id = SESSION;
    lib.state = ZOO_CONNECTED_STATE;
    assert_int_equal(close_it(), 0);
    lib.state = ZOO_CONNECTING_STATE;
    lib.id.client_id = INT64_MAX;
    assert_int_equal(close_it(), 1);
}

/* ---- words */

static void each_code_has_words_that_differ_from_every_other(void **state) {
    char seen[130][200] = {""};

    (void)state;
    for (int code = -129; code < -100; code++) {
        strncpy(seen[-code % 130], handle_strerror(code), 199);
        assert_true(strlen(handle_strerror(code)) > 4);
        assert_null(strstr(handle_strerror(code), "unknown"));
        for (int before = -129; before < code; before++)
            assert_string_not_equal(seen[-before % 130], seen[-code % 130]);
    }
    assert_non_null(
        strstr(handle_strerror(SESSION_WANTS_AUTH), "enforce.auth"));
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(puts_the_chroot_before_each_path_but_absolute_ones),
        T(takes_the_chroot_off_what_servers_tell),
        T(a_connected_handle_is_left_as_it_was),
        T(one_that_connects_meanwhile_gets_its_identity_back),
        T(one_that_is_misled_meanwhile_is_given_up),
        T(one_that_connects_all_the_same_is_not_closed),
        cmocka_unit_test(each_code_has_words_that_differ_from_every_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
