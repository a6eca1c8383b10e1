/* test_handle.c - tests of csrc/zookeeper/handle.c, with the client library's
 * part played: the functions below take the place of its own
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
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
#include "csrc/zookeeper/protocol.h"

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
    strings_stat_completion_t listed;
    data_completion_t got;
    stat_completion_t seen;
    void_completion_t done;
    const void *data;
    int version; /* of a set or a delete */
    int mode;    /* of a create */
    int acl;     /* how many entries it has */
    int failure; /* errno of the next open */
    int refusal; /* of the next request */
} lib;

zhandle_t *zookeeper_init2(const char *host, watcher_fn fn, int recv_timeout,
                           const clientid_t *clientid, void *context, int flags,
                           log_callback_fn log_callback) {
    (void)recv_timeout;
    (void)log_callback;
    if (lib.failure) {
        errno = lib.failure;
        return NULL;
    }
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
    strncpy(lib.path, path, sizeof(lib.path) - 1);
    lib.acl = acl->count;
    lib.mode = mode;
    lib.created = completion;
    lib.data = data;
    return lib.refusal;
}

int zoo_awexists(zhandle_t *zh, const char *path, watcher_fn watcher,
                 void *context, stat_completion_t completion,
                 const void *data) {
    (void)zh;
    strncpy(lib.path, path, sizeof(lib.path) - 1);
    lib.watcher = watcher;
    lib.context = context;
    lib.seen = completion;
    lib.data = data;
    return ZOK;
}

int zoo_awget_children2(zhandle_t *zh, const char *path, watcher_fn watcher,
                        void *context, strings_stat_completion_t completion,
                        const void *data) {
    (void)zh;
    (void)path;
    (void)watcher;
    (void)context;
    lib.listed = completion;
    lib.data = data;
    return ZOK;
}

int zoo_awget(zhandle_t *zh, const char *path, watcher_fn watcher,
              void *context, data_completion_t completion, const void *data) {
    (void)zh;
    (void)path;
    (void)context;
    lib.watcher = watcher;
    lib.got = completion;
    lib.data = data;
    return ZOK;
}

int zoo_aset(zhandle_t *zh, const char *path, const char *buffer, int buflen,
             int version, stat_completion_t completion, const void *data) {
    (void)zh;
    (void)path;
    (void)buffer;
    (void)buflen;
    lib.version = version;
    lib.seen = completion;
    lib.data = data;
    return ZOK;
}

int zoo_adelete(zhandle_t *zh, const char *path, int version,
                void_completion_t completion, const void *data) {
    (void)zh;
    (void)path;
    lib.version = version;
    lib.done = completion;
    lib.data = data;
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
                                     .max_data = 4,
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

/* ---- what servers answer, and tell by themselves */

/* Returns the answer that was pushed last, its request forgotten; owned. */
static struct event *take_answer(void) {
    struct event *ev = queue_pop(queue);

    assert_non_null(ev);
    assert_int_equal(ev->type, EVENT_REPLY);
    assert_int_equal(ev->session, 1);
    assert_int_equal(ev->generation, 1);
    handle_finish(handle, ev->origin);
    assert_int_equal(handle_in_flight(handle), 0);
    return ev;
}

static const struct Stat stat = {.czxid = 1,
                                 .mzxid = 2,
                                 .ctime = 3,
                                 .mtime = 4,
                                 .version = 5,
                                 .ephemeralOwner = 6,
                                 .dataLength = 7,
                                 .numChildren = 8};

static void assert_stat(const struct znode_stat *copy) {
    assert_int_equal(copy->czxid, 1);
    assert_int_equal(copy->mzxid, 2);
    assert_int_equal(copy->ctime, 3);
    assert_int_equal(copy->mtime, 4);
    assert_int_equal(copy->version, 5);
    assert_int_equal(copy->ephemeral_owner, 6);
    assert_int_equal(copy->data_length, 7);
    assert_int_equal(copy->num_children, 8);
}

static void data_are_copied_as_far_as_is_allowed(void **state) {
    struct event *ev;

    (void)state;
    open_handle("10.0.0.1:2181");
    send_it(OP_GET, "/a", 0);
    assert_null(lib.watcher); /* nobody asked for one */
    lib.got(ZOK, "0123456", 7, &stat, lib.data);
    ev = take_answer();
    assert_int_equal(ev->code, ZOK);
    assert_string_equal(ev->data, "0123");
    assert_int_equal(ev->length, 4);
    assert_stat(&ev->stat);
    event_free(ev);
    /* A znode without data has a length of -1. */
    send_it(OP_GET, "/a", 0);
    lib.got(ZOK, NULL, -1, &stat, lib.data);
    ev = take_answer();
    assert_string_equal(ev->data, "");
    assert_int_equal(ev->length, 0);
    event_free(ev);
    send_it(OP_GET, "/a", 0);
    lib.got(ZNONODE, NULL, -1, NULL, lib.data);
    ev = take_answer();
    assert_int_equal(ev->code, ZNONODE);
    assert_null(ev->data);
    event_free(ev);
    close_it();
}

static void all_children_are_copied(void **state) {
    char *names[] = {"a", "", "long_name"};
    const struct String_vector vector = {.count = 3, .data = names};
    struct event *ev;

    (void)state;
    open_handle("10.0.0.1:2181");
    send_it(OP_GET_CHILDREN, "/", 0);
    lib.listed(ZOK, &vector, &stat, lib.data);
    ev = take_answer();
    assert_int_equal(ev->count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(ev->children[i], names[i]);
    assert_stat(&ev->stat);
    event_free(ev);
    send_it(OP_GET_CHILDREN, "/", 0);
    lib.listed(ZNONODE, NULL, NULL, lib.data);
    ev = take_answer();
    assert_int_equal(ev->code, ZNONODE);
    assert_null(ev->children);
    event_free(ev);
    close_it();
}

static void a_set_and_a_delete_are_of_a_version(void **state) {
    struct request *r;
    struct event *ev;

    (void)state;
    open_handle("10.0.0.1:2181");
    r = request_new(OP_SET, 0, "/a", "x", 1);
    r->version = 12;
    assert_int_equal(handle_send(handle, r), 0);
    assert_int_equal(lib.version, 12);
    lib.seen(ZOK, &stat, lib.data);
    ev = take_answer();
    assert_stat(&ev->stat);
    event_free(ev);
    r = request_new(OP_DELETE, 0, "/a", NULL, 0);
    r->version = -1;
    assert_int_equal(handle_send(handle, r), 0);
    assert_int_equal(lib.version, -1);
    lib.done(ZBADVERSION, lib.data);
    ev = take_answer();
    assert_int_equal(ev->code, ZBADVERSION);
    event_free(ev);
    close_it();
}

/* What the server did is as unknown as without a connection. */
static void a_request_that_is_given_up_is_lost(void **state) {
    static const int codes[][2] = {{ZOPERATIONTIMEOUT, SESSION_LOST},
                                   {ZCLOSING, SESSION_LOST},
                                   {ZCONNECTIONLOSS, ZCONNECTIONLOSS},
                                   {ZNOAUTH, ZNOAUTH}};

    (void)state;
    open_handle("10.0.0.1:2181");
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        struct event *ev;

        send_it(OP_CREATE, "/a", 0);
        lib.created(codes[i][0], NULL, lib.data);
        ev = take_answer();
        assert_int_equal(ev->code, codes[i][1]);
        assert_null(ev->data);
        event_free(ev);
    }
    close_it();
}

static void what_the_library_refuses_stays_with_the_caller(void **state) {
    struct request *r = request_new(OP_CREATE, 0, "/a", "", 0);

    (void)state;
    open_handle("10.0.0.1:2181");
    lib.refusal = ZMARSHALLINGERROR;
    assert_int_equal(handle_send(handle, r), ZMARSHALLINGERROR);
    assert_int_equal(handle_in_flight(handle), 0);
    request_free(r);
    close_it();
}

static void a_znode_is_created_as_it_was_asked(void **state) {
    const struct {
        int mode, flags, acl;
    } cases[] = {
        {0, 0, 1},
        {CREATE_EPHEMERAL, ZOO_EPHEMERAL, 1},
        {CREATE_SEQUENTIAL, ZOO_SEQUENCE, 1},
        {CREATE_EPHEMERAL | CREATE_SEQUENTIAL, ZOO_EPHEMERAL | ZOO_SEQUENCE, 1},
        /* Its creator may do all, everybody may read. */
        {CREATE_CREATOR, 0, 2},
    };

    (void)state;
    open_handle("10.0.0.1:2181");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        send_it(OP_CREATE, "/a", cases[i].mode);
        assert_int_equal(lib.mode, cases[i].flags);
        assert_int_equal(lib.acl, cases[i].acl);
        lib.created(ZNOAUTH, NULL, lib.data);
        event_free(take_answer());
    }
    close_it();
}

static void a_watch_tells_what_has_changed(void **state) {
    const struct {
        int type;
        enum event_change change;
    } cases[] = {{ZOO_CREATED_EVENT, CHANGE_CREATED},
                 {ZOO_DELETED_EVENT, CHANGE_DELETED},
                 {ZOO_CHANGED_EVENT, CHANGE_DATA},
                 {ZOO_CHILD_EVENT, CHANGE_CHILDREN}};
    struct event *ev;

    (void)state;
    open_handle("10.0.0.1:2181");
    send_it(OP_EXISTS, "/a", 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        lib.watcher(NULL, cases[i].type, 0, "/a", lib.context);
        ev = queue_pop(queue);
        assert_int_equal(ev->type, EVENT_WATCH);
        assert_int_equal(ev->change, cases[i].change);
        event_free(ev);
    }
    /* Of the session each watch is told as well. */
    lib.watcher(NULL, ZOO_SESSION_EVENT, ZOO_CONNECTED_STATE, "", lib.context);
    lib.watcher(NULL, ZOO_NOTWATCHING_EVENT, 0, "/a", lib.context);
    assert_null(queue_pop(queue));
    close_it();
}

static void a_session_tells_its_states(void **state) {
    const struct {
        int zk_state;
        enum session_state state;
    } cases[] = {{ZOO_CONNECTED_STATE, SESSION_CONNECTED},
                 {ZOO_CONNECTING_STATE, SESSION_CONNECTING},
                 {ZOO_ASSOCIATING_STATE, SESSION_CONNECTING},
                 {ZOO_EXPIRED_SESSION_STATE, SESSION_EXPIRED},
                 {ZOO_AUTH_FAILED_STATE, SESSION_AUTH_FAILED}};
    struct event *ev;

    (void)state;
    open_handle("10.0.0.1:2181");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        lib.watcher(NULL, ZOO_SESSION_EVENT, cases[i].zk_state, "",
                    lib.context);
        ev = queue_pop(queue);
        assert_int_equal(ev->type, EVENT_SESSION);
        assert_int_equal(ev->state, cases[i].state);
        event_free(ev);
    }
    lib.watcher(NULL, ZOO_CHANGED_EVENT, ZOO_CONNECTED_STATE, "/a",
                lib.context);
    assert_null(queue_pop(queue));
    close_it();
}

/* With address sanitizer nothing may be left either. */
static void a_handle_that_cannot_be_opened_says_why(void **state) {
    struct handle_options options = {
        .queue = queue, .worker = worker, .hosts = "10.0.0.1:2181"};

    (void)state;
    lib.failure = EMFILE;
    assert_null(handle_open(&options));
    assert_int_equal(errno, EMFILE);
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
        T(data_are_copied_as_far_as_is_allowed),
        T(all_children_are_copied),
        T(a_set_and_a_delete_are_of_a_version),
        T(a_request_that_is_given_up_is_lost),
        T(what_the_library_refuses_stays_with_the_caller),
        T(a_znode_is_created_as_it_was_asked),
        T(a_watch_tells_what_has_changed),
        T(a_session_tells_its_states),
        T(a_handle_that_cannot_be_opened_says_why),
        T(a_connected_handle_is_left_as_it_was),
        T(one_that_connects_meanwhile_gets_its_identity_back),
        T(one_that_is_misled_meanwhile_is_given_up),
        T(one_that_connects_all_the_same_is_not_closed),
        cmocka_unit_test(each_code_has_words_that_differ_from_every_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
