/* handle.c - one handle of the client library
 *
 *   loop thread        every function of handle.h
 *   completion thread  on_session(), on_watch(), on_*_reply(): copy what they
 *                      are given into an event, push it, and touch nothing
 *                      after that
 *   worker thread      close_job()
 *
 * A handle owns the requests in flight and frees them itself, because
 * zookeeper_close() drops the completions of requests that it still holds.
 * The handle is the context of every watch: the library then keeps one watch
 * for a path, and there is nothing to free when it never fires.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zookeeper/zookeeper.h>

#include "csrc/base/clock.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "csrc/zookeeper/client_log.h"
#include "csrc/zookeeper/handle.h"

/* How many threads must be possible before a handle is opened: two for the
 * handle and one to spare. libzookeeper aborts if it cannot start a thread. */
#define HANDLE_THREADS 3

/* An identity that no server knows: a handle that carries it can only learn
 * that it expired. */
#define NO_SESSION INT64_C(0x7fffffffffffffff)

/* The prefix of every path on the server. The library supports it too, but it
 * cannot create a missing chroot. */
struct chroot {
    char *path; /* owned; "" for none */
    size_t length;
};

struct handle {
    zhandle_t *zh;       /* owned */
    struct queue *queue; /* borrowed */
    uint32_t session;
    uint32_t generation;
    size_t max_data;
    struct chroot chroot;
    char *servers;                 /* owned */
    unsigned int rounds;           /* of <servers> when it was opened */
    bool abandoned;                /* handle_abandon() was done */
    struct request_list in_flight; /* owned; loop thread only */
};

/* Returns <path> of the server as it is below the chroot, borrowed. */
static const char *below_chroot(const struct handle *h, const char *path) {
    if (strncmp(path, h->chroot.path, h->chroot.length) != 0)
        return path;
    return path[h->chroot.length] ? path + h->chroot.length : "/";
}

/* Returns the server's path for that of <r>, owned by the caller, or NULL
 * without memory. */
static char *server_path(const struct handle *h, const struct request *r) {
    bool root = strcmp(r->path, "/") == 0;
    char *path;

    if (h->chroot.length == 0 || r->op == OP_ADD_AUTH ||
        (r->op == OP_CREATE && r->mode & CREATE_ABSOLUTE))
        return strdup(r->path);
    if (asprintf(&path, "%s%s", h->chroot.path, root ? "" : r->path) == -1)
        return NULL;
    return path;
}

static void push(struct handle *h, struct event *ev) {
    if (ev) {
        ev->session = h->session;
        ev->generation = h->generation;
    }
    queue_push(h->queue, ev);
}

static enum session_state state_of(int zk_state) {
    if (zk_state == ZOO_CONNECTED_STATE)
        return SESSION_CONNECTED;
    if (zk_state == ZOO_EXPIRED_SESSION_STATE)
        return SESSION_EXPIRED;
    if (zk_state == ZOO_AUTH_FAILED_STATE)
        return SESSION_AUTH_FAILED;
    return SESSION_CONNECTING;
}

static void on_session(zhandle_t *zh, int type, int zk_state, const char *path,
                       void *context) {
    struct event *ev;

    (void)zh;
    (void)path;
    if (type != ZOO_SESSION_EVENT)
        return;
    ev = event_new(EVENT_SESSION);
    if (ev)
        ev->state = state_of(zk_state);
    push(context, ev);
}

static enum event_change change_of(int type) {
    if (type == ZOO_CREATED_EVENT)
        return CHANGE_CREATED;
    if (type == ZOO_DELETED_EVENT)
        return CHANGE_DELETED;
    if (type == ZOO_CHILD_EVENT)
        return CHANGE_CHILDREN;
    return CHANGE_DATA;
}

/* Session events reach every watch of a handle as well; on_session() has
 * reported them already. */
static void on_watch(zhandle_t *zh, int type, int zk_state, const char *path,
                     void *context) {
    struct event *ev;

    (void)zh;
    (void)zk_state;
    if (type == ZOO_SESSION_EVENT || type == ZOO_NOTWATCHING_EVENT)
        return;
    ev = event_new(EVENT_WATCH);
    if (ev) {
        ev->change = change_of(type);
        ev->path = strdup(below_chroot(context, path));
        if (!ev->path) {
            event_free(ev);
            ev = NULL;
        }
    }
    push(context, ev);
}

static struct znode_stat copy_stat(const struct Stat *stat) {
    struct znode_stat copy = {
        .czxid = stat->czxid,
        .mzxid = stat->mzxid,
        .ctime = stat->ctime,
        .mtime = stat->mtime,
        .ephemeral_owner = stat->ephemeralOwner,
        .version = stat->version,
        .data_length = stat->dataLength,
        .num_children = stat->numChildren,
    };

    return copy;
}

static void copy_data(struct event *ev, const char *data, size_t length) {
    ev->data = malloc(length + 1);
    if (!ev->data) {
        ev->code = ZSYSTEMERROR;
        return;
    }
    if (length > 0)
        memcpy(ev->data, data, length);
    ev->data[length] = '\0';
    ev->length = length;
}

/* One block for all names: a list of thousands is allocated and freed as fast
 * as one name. */
static void copy_children(struct event *ev, const struct String_vector *names) {
    size_t pointers = (size_t)names->count * sizeof(*ev->children);
    size_t bytes = 1;
    char *text;

    for (int32_t i = 0; i < names->count; i++)
        bytes += strlen(names->data[i]) + 1;
    ev->children = malloc(pointers + bytes);
    if (!ev->children) {
        ev->code = ZSYSTEMERROR;
        return;
    }
    text = (char *)ev->children + pointers;
    for (int32_t i = 0; i < names->count; i++) {
        ev->children[i] = text;
        text = stpcpy(text, names->data[i]) + 1;
    }
    ev->count = (size_t)names->count;
}

/* The codes with which the library gives the connection up become one: in all
 * cases it is unknown what the server did. */
static int code_of(int rc) {
    if (rc == ZOPERATIONTIMEOUT || rc == ZCLOSING)
        return SESSION_LOST;
    return rc;
}

/* Takes the reply out of <context>, a request, and marks it with <rc>. */
static struct event *take_reply(int rc, const void *context) {
    struct request *r = (struct request *)context;
    struct event *ev = r->reply;

    r->reply = NULL;
    ev->code = code_of(rc);
    ev->origin = r;
    ev->time_us = clock_us();
    return ev;
}

static void push_reply(struct event *ev) { push(ev->origin->handle, ev); }

static void on_void_reply(int rc, const void *context) {
    push_reply(take_reply(rc, context));
}

static void on_stat_reply(int rc, const struct Stat *stat,
                          const void *context) {
    struct event *ev = take_reply(rc, context);

    if (rc == ZOK && stat)
        ev->stat = copy_stat(stat);
    push_reply(ev);
}

static void on_string_reply(int rc, const char *value, const void *context) {
    struct event *ev = take_reply(rc, context);

    if (rc == ZOK && value) {
        if (!(ev->origin->mode & CREATE_ABSOLUTE))
            value = below_chroot(ev->origin->handle, value);
        copy_data(ev, value, strlen(value));
    }
    push_reply(ev);
}

static void on_data_reply(int rc, const char *value, int length,
                          const struct Stat *stat, const void *context) {
    struct event *ev = take_reply(rc, context);
    size_t max = ev->origin->handle->max_data;

    if (rc == ZOK) {
        size_t all = length > 0 ? (size_t)length : 0;

        copy_data(ev, value, all < max ? all : max);
        ev->stat = copy_stat(stat);
    }
    push_reply(ev);
}

static void on_children_reply(int rc, const struct String_vector *names,
                              const struct Stat *stat, const void *context) {
    struct event *ev = take_reply(rc, context);

    if (rc == ZOK) {
        copy_children(ev, names);
        ev->stat = copy_stat(stat);
    }
    push_reply(ev);
}

static int start_read(struct handle *h, const char *path,
                      const struct request *r) {
    watcher_fn watch = r->watch ? on_watch : NULL;

    if (r->op == OP_GET_CHILDREN)
        return zoo_awget_children2(h->zh, path, watch, h, on_children_reply, r);
    if (r->op == OP_GET)
        return zoo_awget(h->zh, path, watch, h, on_data_reply, r);
    return zoo_awexists(h->zh, path, watch, h, on_stat_reply, r);
}

static int start_create(struct handle *h, const char *path,
                        const struct request *r) {
    struct ACL creator[] = {{ZOO_PERM_ALL, ZOO_AUTH_IDS},
                            {ZOO_PERM_READ, ZOO_ANYONE_ID_UNSAFE}};
    struct ACL_vector of_creator = {.count = 2, .data = creator};
    int flags = (r->mode & CREATE_EPHEMERAL ? ZOO_EPHEMERAL : 0) |
                (r->mode & CREATE_SEQUENTIAL ? ZOO_SEQUENCE : 0);

    return zoo_acreate(h->zh, path, r->data, r->data ? (int)r->length : -1,
                       r->mode & CREATE_CREATOR ? &of_creator
                                                : &ZOO_OPEN_ACL_UNSAFE,
                       flags, on_string_reply, r);
}

/* The library copies <path>. */
static int start(struct handle *h, const char *path, const struct request *r) {
    switch (r->op) {
    case OP_GET_CHILDREN:
    case OP_GET:
    case OP_EXISTS:
        return start_read(h, path, r);
    case OP_CREATE:
        return start_create(h, path, r);
    case OP_SET:
        return zoo_aset(h->zh, path, r->data, (int)r->length, r->version,
                        on_stat_reply, r);
    case OP_DELETE:
        return zoo_adelete(h->zh, path, r->version, on_void_reply, r);
    case OP_SYNC:
        return zoo_async(h->zh, path, on_string_reply, r);
    case OP_ADD_AUTH:
        return zoo_add_auth(h->zh, path, r->data, (int)r->length, on_void_reply,
                            r);
    }
    return ZBADARGUMENTS;
}

/* What worker_without_signals() calls to open the library's handle. The library
 * does not log its environment: for that it would ask for the name of the user,
 * and a directory service that hangs would hold the thread. */
struct opening {
    const struct handle_options *options;
    const char *servers; /* of its hosts */
    struct handle *handle;
};

static void open_library_handle(void *arg) {
    struct opening *o = arg;
    clientid_t id;
    const clientid_t *resume = NULL;

    if (o->options->resume) {
        id.client_id = o->options->resume->id;
        memcpy(id.passwd, o->options->resume->password, sizeof(id.passwd));
        resume = &id;
    }
    o->handle->zh =
        zookeeper_init2(o->servers, on_session, o->options->timeout_ms, resume,
                        o->handle, ZOO_NO_LOG_CLIENTENV, log_lines_take);
}

/* Keeps the library's own lines away from stderr, and asks it for warnings and
 * errors only. */
static void keep_quiet(void) {
    FILE *nowhere = log_lines_nowhere();

    if (nowhere)
        zoo_set_log_stream(nowhere);
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
}

/* Starts the library's handle of <h>. Returns 0, or errno. */
static int begin(struct handle *h, const struct handle_options *options,
                 const char *servers) {
    struct opening opening = {
        .options = options, .servers = servers, .handle = h};
    int reason = worker_start(options->worker);

    if (reason == 0)
        reason = worker_probe_threads(HANDLE_THREADS);
    if (reason != 0)
        return reason;
    keep_quiet();
    zoo_deterministic_conn_order(1);
    worker_without_signals(open_library_handle, &opening);
    if (!h->zh)
        return errno;
    zoo_set_servers_resolution_delay(h->zh, -1);
    return 0;
}

static void free_handle(struct handle *h) {
    free(h->chroot.path);
    free(h->servers);
    free(h);
}

struct handle *handle_open(const struct handle_options *options) {
    struct handle *h = calloc(1, sizeof(*h));
    size_t length = strcspn(options->hosts, "/");
    int reason = ENOMEM;

    if (!h)
        goto done;
    h->chroot.path = strdup(options->hosts + length);
    h->servers = strndup(options->hosts, length);
    if (!h->servers || !h->chroot.path)
        goto done;
    h->rounds = log_lines_rounds(h->servers);
    h->chroot.length = strlen(h->chroot.path);
    h->queue = options->queue;
    h->session = options->session;
    h->generation = options->generation;
    h->max_data = options->max_data;
    reason = begin(h, options, h->servers);

done:
    if (reason != 0 && h) {
        free_handle(h);
        h = NULL;
    }
    errno = reason;
    return h;
}

int handle_send(struct handle *h, struct request *r) {
    char *path = server_path(h, r);
    int rc;

    if (!path)
        return ZSYSTEMERROR;
    r->handle = h;
    request_append(&h->in_flight, r);
    rc = start(h, path, r);
    free(path);
    if (rc == ZOK)
        return 0;
    request_remove(&h->in_flight, r);
    r->handle = NULL;
    return rc;
}

void handle_finish(struct handle *h, struct request *r) {
    request_remove(&h->in_flight, r);
    request_free(r);
}

size_t handle_in_flight(const struct handle *h) { return h->in_flight.count; }

struct request *handle_requests(struct handle *handle) {
    return handle->in_flight.head;
}

struct session_identity handle_identity(const struct handle *h) {
    const clientid_t *id = zoo_client_id(h->zh);
    struct session_identity identity = {.id = id->client_id};

    memcpy(identity.password, id->passwd, sizeof(identity.password));
    return identity;
}

int handle_timeout(const struct handle *h) { return zoo_recv_timeout(h->zh); }

unsigned int handle_rounds(const struct handle *h) {
    return log_lines_rounds(h->servers) - h->rounds;
}

/* zookeeper_close() ends the session of a handle that is connected by then,
 * and the handle may connect between our look at it and the close. So the
 * identity inside the handle is replaced first (zoo_client_id() points at
 * it): whatever a server answers from now on, the handle takes it for an
 * expiry and does not connect.
 *
 * The library's thread may be there at the same time. Had it compared the
 * identity before we replaced it, it connects, and what it wrote stays:
 * is_off() finds that out before the close. If it was connected all along, it
 * gets its identity back; but it may have lost the connection in between and
 * have taken the answer to the next one for an expiry: so we look once more. */
bool handle_abandon(struct handle *h) {
    clientid_t *id = (clientid_t *)(uintptr_t)zoo_client_id(h->zh);

    while (zoo_state(h->zh) != ZOO_CONNECTED_STATE) {
        int64_t ours = NO_SESSION;
        int64_t real =
            __atomic_exchange_n(&id->client_id, NO_SESSION, __ATOMIC_SEQ_CST);

        if (zoo_state(h->zh) != ZOO_CONNECTED_STATE) {
            h->abandoned = true;
            return true;
        }
        __atomic_compare_exchange_n(&id->client_id, &ours, real, false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    return false;
}

/* Tells whether <h>, which was abandoned, has not connected all the same. */
static bool is_off(const struct handle *h) {
    return zoo_client_id(h->zh)->client_id == NO_SESSION &&
           zoo_state(h->zh) != ZOO_CONNECTED_STATE;
}

static void free_requests(struct request_list *list) {
    while (list->head) {
        struct request *r = list->head;

        request_remove(list, r);
        request_free(r);
    }
}

static void close_job(void *data) {
    struct handle *h = data;

    if (h->abandoned && !is_off(h))
        return; /* left open: to close it would end the session for both */
    zookeeper_close(h->zh);
    free_requests(&h->in_flight);
    free_handle(h);
}

/* Without a worker thread the handle is left open: its own threads go on
 * using it, and closing it here would block the loop. */
static void keep_open(void *data) { (void)data; }

void handle_close(struct handle *h, struct worker *w) {
    worker_run(w, close_job, keep_open, h);
}

/* Codes that servers of some release answer and for which zerror() has no
 * words, or none that explain the problem. It goes through errno for
 * ZSYSTEMERROR. */
static const struct {
    int code;
    const char *words;
} refusals[] = {
    {SESSION_NO_MEMORY, "an error inside the server, or out of memory here"},
    {ZAUTHFAILED, "the server refuses the credentials"},
    {SESSION_WANTS_AUTH,
     "the server takes no request without credentials that it knows "
     "(enforce.auth, or SASL)"},
    {SESSION_QUOTA_EXCEEDED, "the quota of the path is exceeded"},
    {SESSION_THROTTLED, "the server is overloaded and throttles requests"},
};

const char *handle_strerror(int code) {
    static _Thread_local char unknown[60];

    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
        if (refusals[i].code == code)
            return refusals[i].words;
    if (strcmp(zerror(code), "unknown error") != 0)
        return zerror(code);
    snprintf(unknown, sizeof(unknown), "the server answers code %d", code);
    return unknown;
}
