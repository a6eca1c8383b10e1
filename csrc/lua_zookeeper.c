/* lua_zookeeper.c - the Lua module; the only file that knows Lua
 *
 * README.md in this directory is its manual. A client is one queue, its two
 * workers and its sessions; a session's userdata is a box that the client can
 * empty, so closing in any order, and collecting in any order, is safe.
 *
 * Anything that allocates in Lua may leave by longjmp: what C owns is put into
 * a box on the Lua stack before the next such call.
 *
 * One thread at a time: the one that holds the Lua state.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "csrc/channel.h"
#include "csrc/clock.h"
#include "csrc/command.h"
#include "csrc/error.h"
#include "csrc/event.h"
#include "csrc/file.h"
#include "csrc/queue.h"
#include "csrc/session.h"
#include "csrc/worker.h"

#define CLIENT_TYPE    "zookeeper.client"
#define SESSION_TYPE   "zookeeper.session"
#define DIRECTORY_TYPE "zookeeper.directory"
#define EVENT_TYPE     "zookeeper.event"
#define STRING_TYPE    "zookeeper.string"

#define QUEUE_LIMIT     100000
#define TICK_MS         250
#define COMMAND_SECONDS 10

struct box;

struct client {
    struct queue *queue;      /* owned, NULL once closed */
    struct worker *slow;      /* owned: closes handles, writes files */
    struct worker *commander; /* owned: speaks the runtime API */
    struct channel *wake;     /* owned */
    struct channel *admin;    /* owned */
    int wake_fd;              /* owned, -1 until attached */
    struct box *boxes;        /* borrowed: sessions of this client */
};

/* The userdata of a session. */
struct box {
    struct box *next;        /* borrowed */
    struct session *session; /* owned, NULL once closed */
    struct client *client;   /* borrowed, while <session> is set */
};

/* ---- helpers: what every function ends or begins with */

static int push_failure(lua_State *L, const char *message, int code) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    lua_pushinteger(L, code);
    return 3;
}

static int push_errno(lua_State *L, const char *subject) {
    int reason = errno;

    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", subject, strerror(reason));
    lua_pushinteger(L, reason);
    return 3;
}

static struct client *check_client(lua_State *L) {
    struct client *c = luaL_checkudata(L, 1, CLIENT_TYPE);

    if (!c->queue)
        luaL_error(L, "client is closed");
    return c;
}

static struct session *check_session(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, SESSION_TYPE);

    if (!box->session)
        luaL_error(L, "session is closed");
    return box->session;
}

/* Pushes a userdata of <size> zeroed bytes with the metatable <type>. */
static void *push_box(lua_State *L, size_t size, const char *type) {
    void *box = lua_newuserdata(L, size);

    memset(box, 0, size);
    luaL_setmetatable(L, type);
    return box;
}

static void set_string(lua_State *L, const char *field, const char *value) {
    if (!value)
        return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, field);
}

static void set_integer(lua_State *L, const char *field, int64_t value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, field);
}

static void set_number(lua_State *L, const char *field, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, field);
}

/* Client ids are shown as ZooKeeper shows them. */
static void push_client_id(lua_State *L, int64_t id) {
    char text[32];

    snprintf(text, sizeof(text), "0x%llx", (unsigned long long)id);
    lua_pushstring(L, text);
}

/* ---- waking the reader */

static void write_byte(void *arg) {
    const struct client *c = arg;

    if (c->wake_fd != -1)
        (void)!send(c->wake_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void detach_wake(struct client *c) {
    queue_set_wake(c->queue, NULL, NULL);
    if (c->wake_fd != -1)
        close(c->wake_fd);
    c->wake_fd = -1;
}

/* ---- sessions */

static void box_close(struct box *box) {
    struct box **link;

    if (!box->session)
        return;
    for (link = &box->client->boxes; *link; link = &(*link)->next) {
        if (*link == box) {
            *link = box->next;
            break;
        }
    }
    session_close(box->session);
    box->session = NULL;
}

static int session_gc(lua_State *L) {
    box_close(luaL_checkudata(L, 1, SESSION_TYPE));
    return 0;
}

/***
Ends the session; its ephemeral znodes go. Twice is harmless.
@function session:close
*/
static int lsession_close(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, SESSION_TYPE);

    if (!box->session)
        return 0;
    lua_getuservalue(L, 1);
    lua_getuservalue(L, -1);
    lua_pushnil(L);
    lua_rawseti(L, -2, session_number(box->session));
    box_close(box);
    return 0;
}

/* Returns what a request returns: its number, true for 0, or a failure. */
static int push_request(lua_State *L, int64_t result) {
    if (result > 0)
        lua_pushinteger(L, result);
    else if (result == 0)
        lua_pushboolean(L, 1);
    else
        return push_failure(L, session_strerror((int)result), (int)result);
    return 1;
}

/***
Asks for the names of a znode's children.
@function session:get_children
@string path
@bool[opt=false] watch  be told, once, when children come or go
@treturn integer the request's number; a `reply` event carries `children`
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer code
*/
static int lsession_get_children(lua_State *L) {
    struct session *s = check_session(L);

    return push_request(L, session_get_children(s, luaL_checkstring(L, 2),
                                                lua_toboolean(L, 3)));
}

/***
Asks for a znode's data. As `get_children`; the reply carries `data`, `stat`.
@function session:get
@string path
@bool[opt=false] watch  be told, once, when the data changes or the znode goes
*/
static int lsession_get(lua_State *L) {
    struct session *s = check_session(L);

    return push_request(
        L, session_get(s, luaL_checkstring(L, 2), lua_toboolean(L, 3)));
}

/***
Asks for a znode's stat. As `get`; with a watch, told when it is created too.
@function session:exists
@string path
@bool[opt=false] watch
*/
static int lsession_exists(lua_State *L) {
    struct session *s = check_session(L);

    return push_request(
        L, session_exists(s, luaL_checkstring(L, 2), lua_toboolean(L, 3)));
}

static int has_option(lua_State *L, int table, const char *name) {
    int set;

    if (lua_isnoneornil(L, table))
        return 0;
    luaL_checktype(L, table, LUA_TTABLE);
    lua_getfield(L, table, name);
    set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

/***
Makes a znode that is open to all. The reply's `data` is the path made.
@function session:create
@string path
@string data
@tparam[opt] {ephemeral=bool,sequential=bool} options
*/
static int lsession_create(lua_State *L) {
    struct session *s = check_session(L);
    const char *path = luaL_checkstring(L, 2);
    size_t length;
    const char *data = luaL_checklstring(L, 3, &length);
    int mode = (has_option(L, 4, "ephemeral") ? CREATE_EPHEMERAL : 0) |
               (has_option(L, 4, "sequential") ? CREATE_SEQUENTIAL : 0);

    return push_request(L, session_create(s, path, data, length, mode));
}

/***
Replaces a znode's data.
@function session:set
@string path
@string data
@int[opt=-1] version  the version it must have; -1: any
*/
static int lsession_set(lua_State *L) {
    struct session *s = check_session(L);
    const char *path = luaL_checkstring(L, 2);
    size_t length;
    const char *data = luaL_checklstring(L, 3, &length);
    int version = (int)luaL_optinteger(L, 4, -1);

    return push_request(L, session_set(s, path, data, length, version));
}

/***
Deletes a znode.
@function session:delete
@string path
@int[opt=-1] version
*/
static int lsession_delete(lua_State *L) {
    struct session *s = check_session(L);
    const char *path = luaL_checkstring(L, 2);
    int version = (int)luaL_optinteger(L, 3, -1);

    return push_request(L, session_delete(s, path, version));
}

/***
Lets the server catch up with its leader before the next request.
@function session:sync
@string path
*/
static int lsession_sync(lua_State *L) {
    struct session *s = check_session(L);

    return push_request(L, session_sync(s, luaL_checkstring(L, 2)));
}

/***
Adds credentials; kept for every later handle, never logged.
@function session:add_auth
@string scheme  such as "digest"
@string credentials  such as "user:password"
*/
static int lsession_add_auth(lua_State *L) {
    struct session *s = check_session(L);
    const char *scheme = luaL_checkstring(L, 2);
    size_t length;
    const char *secret = luaL_checklstring(L, 3, &length);

    return push_request(L, session_add_auth(s, scheme, secret, length));
}

/***
Returns the state: "connecting", "connected", "unknown", ...
@function session:state
*/
static int lsession_state(lua_State *L) {
    lua_pushstring(L, session_state_name(session_state(check_session(L))));
    return 1;
}

/***
Returns the session's id as "0x...", or nil before the first connection.
@function session:client_id
*/
static int lsession_client_id(lua_State *L) {
    int64_t id = session_client_id(check_session(L));

    if (id == 0)
        lua_pushnil(L);
    else
        push_client_id(L, id);
    return 1;
}

/***
Returns the negotiated timeout in seconds, or nil before the first connection.
@function session:timeout
*/
static int lsession_timeout(lua_State *L) {
    int ms = session_timeout(check_session(L));

    if (ms == 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, ms / 1000.0);
    return 1;
}

/***
Returns how many requests wait or are in flight.
@function session:pending
*/
static int lsession_pending(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)session_pending(check_session(L)));
    return 1;
}

/***
Uses other servers from the next handle on.
@function session:set_hosts
@string hosts  numeric, as `zookeeper.resolve` returns
*/
static int lsession_set_hosts(lua_State *L) {
    struct session *s = check_session(L);

    if (session_set_hosts(s, luaL_checkstring(L, 2)) != 0)
        return luaL_error(L, "out of memory");
    return 0;
}

/* ---- events into tables */

static int event_gc(lua_State *L) {
    struct event **box = luaL_checkudata(L, 1, EVENT_TYPE);

    event_free(*box);
    *box = NULL;
    return 0;
}

static struct box *find_box(const struct client *c, uint32_t number) {
    struct box *box;

    for (box = c->boxes; box; box = box->next)
        if (session_number(box->session) == number)
            return box;
    return NULL;
}

/* Pops the next event that is news into a box on the Lua stack, which then
 * owns it. Returns NULL, and leaves an empty box, when there is none. */
static struct event *pop_event(lua_State *L, struct client *c) {
    struct event **slot = push_box(L, sizeof(*slot), EVENT_TYPE);

    while ((*slot = queue_pop(c->queue))) {
        struct box *box;

        if ((*slot)->session == 0)
            return *slot;
        box = find_box(c, (*slot)->session);
        if (box && session_absorb(box->session, *slot))
            return *slot;
        event_free(*slot);
    }
    return NULL;
}

static void set_stat(lua_State *L, const struct znode_stat *stat) {
    lua_createtable(L, 0, 9);
    set_integer(L, "czxid", stat->czxid);
    set_integer(L, "mzxid", stat->mzxid);
    set_integer(L, "ctime", stat->ctime);
    set_integer(L, "mtime", stat->mtime);
    set_integer(L, "ephemeral_owner", stat->ephemeral_owner);
    set_integer(L, "version", stat->version);
    set_integer(L, "data_length", stat->data_length);
    set_integer(L, "num_children", stat->num_children);
    lua_setfield(L, -2, "stat");
}

static void set_children(lua_State *L, const struct event *ev) {
    lua_createtable(L, (int)ev->count, 0);
    for (size_t i = 0; i < ev->count; i++) {
        lua_pushstring(L, ev->children[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "children");
}

static void set_data(lua_State *L, const char *field, const struct event *ev) {
    if (!ev->data)
        return;
    lua_pushlstring(L, ev->data, ev->length);
    lua_setfield(L, -2, field);
}

static void fill_session(lua_State *L, const struct event *ev) {
    static const char *const links[] = {
        [LINK_SAME_HANDLE] = "same_handle",
        [LINK_NEW_HANDLE] = "new_handle",
        [LINK_NEW_SESSION] = "new_session",
    };

    set_string(L, "state", session_state_name(ev->state));
    if (ev->state != SESSION_CONNECTED)
        return;
    set_string(L, "link", links[ev->link]);
    set_number(L, "timeout", ev->timeout_ms / 1000.0);
    push_client_id(L, ev->client_id);
    lua_setfield(L, -2, "client_id");
}

static void fill_reply(lua_State *L, const struct event *ev) {
    static const char *const ops[] = {
        [OP_GET_CHILDREN] = "get_children",
        [OP_GET] = "get",
        [OP_EXISTS] = "exists",
        [OP_CREATE] = "create",
        [OP_SET] = "set",
        [OP_DELETE] = "delete",
        [OP_SYNC] = "sync",
        [OP_ADD_AUTH] = "add_auth",
    };
    bool reads = ev->op == OP_GET_CHILDREN || ev->op == OP_GET ||
                 ev->op == OP_EXISTS || ev->op == OP_SET;

    set_integer(L, "request", (int64_t)ev->request);
    set_string(L, "op", ops[ev->op]);
    set_string(L, "path", ev->path);
    set_integer(L, "code", ev->code);
    if (ev->code != 0) {
        set_string(L, "error", session_strerror(ev->code));
        return;
    }
    if (reads)
        set_stat(L, &ev->stat);
    if (ev->op == OP_GET_CHILDREN)
        set_children(L, ev);
    else
        set_data(L, "data", ev);
}

static void fill_watch(lua_State *L, const struct event *ev) {
    static const char *const changes[] = {
        [CHANGE_CREATED] = "created",
        [CHANGE_DELETED] = "deleted",
        [CHANGE_DATA] = "data",
        [CHANGE_CHILDREN] = "children",
    };

    set_string(L, "path", ev->path);
    set_string(L, "change", changes[ev->change]);
}

static void fill_log(lua_State *L, const struct event *ev) {
    static const char *const levels[] = {
        [LEVEL_ERROR] = "error",
        [LEVEL_WARNING] = "warning",
        [LEVEL_INFO] = "info",
        [LEVEL_DEBUG] = "debug",
    };

    set_string(L, "level", levels[ev->level]);
    set_data(L, "message", ev);
}

static void fill_answer(lua_State *L, const struct event *ev) {
    set_integer(L, "request", (int64_t)ev->request);
    set_integer(L, "code", ev->code);
    if (ev->code != 0)
        set_string(L, "error", strerror(ev->code));
    set_data(L, "data", ev);
}

static void fill_overflow(lua_State *L, const struct event *ev) {
    (void)L;
    (void)ev;
}

static const struct {
    const char *name;
    void (*fill)(lua_State *L, const struct event *ev);
} event_types[] = {
    [EVENT_SESSION] = {"session", fill_session},
    [EVENT_REPLY] = {"reply", fill_reply},
    [EVENT_WATCH] = {"watch", fill_watch},
    [EVENT_LOG] = {"log", fill_log},
    [EVENT_ANSWER] = {"answer", fill_answer},
    [EVENT_JOB] = {"job", fill_answer},
    [EVENT_OVERFLOW] = {"overflow", fill_overflow},
};

/***
Takes the next event out of the queue.
@function client:poll
@treturn table the event, see "Events" in README.md
@treturn[2] nil when there is none
*/
static int lclient_poll(lua_State *L) {
    struct client *c = check_client(L);
    struct event *ev = pop_event(L, c);

    if (!ev) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 8);
    set_string(L, "type", event_types[ev->type].name);
    set_number(L, "time", (double)ev->time_us / 1e6);
    if (ev->session != 0) {
        lua_getuservalue(L, 1);
        lua_rawgeti(L, -1, ev->session);
        lua_setfield(L, -3, "session");
        lua_pop(L, 1);
    }
    event_types[ev->type].fill(L, ev);
    return 1;
}

/* ---- clients */

static void tick(struct client *c) {
    for (struct box *box = c->boxes; box; box = box->next)
        session_tick(box->session);
}

/***
Lets time pass for all sessions. Call it a few times a second.
@function client:tick
*/
static int lclient_tick(lua_State *L) {
    tick(check_client(L));
    return 0;
}

/***
Waits for an event. Blocks the thread: not for HAProxy.
@function client:wait
@int milliseconds
@treturn bool whether there is one
*/
static int lclient_wait(lua_State *L) {
    struct client *c = check_client(L);
    int64_t until = clock_ms() + luaL_checkinteger(L, 2);
    int64_t left;
    bool filled = false;

    while (!filled && (left = until - clock_ms()) >= 0) {
        filled = queue_wait(c->queue, left < TICK_MS ? (int)left : TICK_MS);
        tick(c);
        if (left == 0)
            break;
    }
    lua_pushboolean(L, filled);
    return 1;
}

static int option_integer(lua_State *L, const char *name, double factor) {
    double value;

    lua_getfield(L, 2, name);
    value = luaL_optnumber(L, -1, 0) * factor;
    luaL_argcheck(L, value >= 0 && value <= INT32_MAX, 2, name);
    lua_pop(L, 1);
    return (int)value;
}

/***
Opens a session.
@function client:open
@tparam {hosts=string,timeout=number,max_data=int,max_in_flight=int} options
@treturn session
@treturn[2] nil
@treturn[2] string why
*/
static int lclient_open(lua_State *L) {
    struct client *c = check_client(L);
    struct session_options options = {0};
    struct error err = {.text = ""};
    struct box *box;

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_getfield(L, 2, "hosts");
    options.hosts = luaL_checkstring(L, -1);
    options.timeout_ms = option_integer(L, "timeout", 1000);
    options.max_data = (size_t)option_integer(L, "max_data", 1);
    options.max_in_flight = (size_t)option_integer(L, "max_in_flight", 1);
    lua_getuservalue(L, 1);
    box = push_box(L, sizeof(*box), SESSION_TYPE);
    lua_pushvalue(L, 1);
    lua_setuservalue(L, -2);

    box->session = session_open(c->queue, c->slow, &options, &err);
    if (!box->session)
        return push_failure(L, err.text, 0);
    box->client = c;
    box->next = c->boxes;
    c->boxes = box;
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, session_number(box->session));
    return 1;
}

/***
Gives the address that the waiting task connects to.
@function client:wake_address
*/
static int lclient_wake_address(lua_State *L) {
    lua_pushfstring(L, "sockpair@%d", channel_fd(check_client(L)->wake));
    return 1;
}

/***
Takes the other end of the connection that the task has just made.
@function client:wake_attach
@treturn bool true
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_wake_attach(lua_State *L) {
    struct client *c = check_client(L);
    int fd = channel_accept(c->wake);

    if (fd == -1)
        return push_errno(L, "wake channel");
    detach_wake(c);
    c->wake_fd = fd;
    queue_set_wake(c->queue, write_byte, c);
    lua_pushboolean(L, 1);
    return 1;
}

/***
Wakes the task now.
@function client:wake
*/
static int lclient_wake(lua_State *L) {
    write_byte(check_client(L));
    return 0;
}

/***
Gives the address for HAProxy's `stats socket` line.
@function client:admin_address
*/
static int lclient_admin_address(lua_State *L) {
    lua_pushfstring(L, "sockpair@%d", channel_fd(check_client(L)->admin));
    return 1;
}

/***
Sends a line of runtime API commands; an `answer` event follows.
@function client:command
@string text  commands parted by ";", below one buffer (16 kB)
@number[opt=10] seconds
@treturn integer the request's number
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_command(lua_State *L) {
    struct client *c = check_client(L);
    const char *text = luaL_checkstring(L, 2);
    double seconds = luaL_optnumber(L, 3, COMMAND_SECONDS);
    uint32_t request = queue_number(c->queue);

    if (command_send(c->commander, c->queue, c->admin, text, request,
                     (int)(seconds * 1000)) != 0)
        return push_errno(L, "runtime API");
    lua_pushinteger(L, request);
    return 1;
}

/***
Writes a file on a worker; a `job` event follows.
@function client:write
@tparam directory directory
@string name
@string data
@treturn integer the request's number
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_write(lua_State *L) {
    struct client *c = check_client(L);
    const int *directory = luaL_checkudata(L, 2, DIRECTORY_TYPE);
    const char *name = luaL_checkstring(L, 3);
    size_t length;
    const char *data = luaL_checklstring(L, 4, &length);
    uint32_t request = queue_number(c->queue);

    if (file_write(c->slow, c->queue, *directory, name, data, length,
                   request) != 0)
        return push_errno(L, name);
    lua_pushinteger(L, request);
    return 1;
}

/***
Closes the wake channel from this side: the task's socket ends.
@function client:hang_up
*/
static int lclient_hang_up(lua_State *L) {
    detach_wake(check_client(L));
    return 0;
}

/***
Closes all sessions and waits for the workers. Twice is harmless.
@function client:close
*/
static int lclient_close(lua_State *L) {
    struct client *c = luaL_checkudata(L, 1, CLIENT_TYPE);

    if (!c->queue)
        return 0;
    while (c->boxes)
        box_close(c->boxes);
    session_log_to(NULL);
    worker_free(c->slow);
    worker_free(c->commander);
    detach_wake(c);
    channel_free(c->wake);
    channel_free(c->admin);
    queue_free(c->queue);
    c->queue = NULL;
    return 0;
}

/* ---- directories */

static int directory_gc(lua_State *L) {
    int *directory = luaL_checkudata(L, 1, DIRECTORY_TYPE);

    if (*directory != -1)
        close(*directory);
    *directory = -1;
    return 0;
}

static int string_gc(lua_State *L) {
    char **box = luaL_checkudata(L, 1, STRING_TYPE);

    free(*box);
    *box = NULL;
    return 0;
}

/***
Reads a regular file that is no symbolic link.
@function directory:read
@string name
@int max  bytes
@treturn string
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int ldirectory_read(lua_State *L) {
    const int *directory = luaL_checkudata(L, 1, DIRECTORY_TYPE);
    const char *name = luaL_checkstring(L, 2);
    size_t max = (size_t)luaL_checkinteger(L, 3);
    char **box = push_box(L, sizeof(*box), STRING_TYPE);
    size_t length;

    *box = file_read(*directory, name, max, &length);
    if (!*box)
        return push_errno(L, name);
    lua_pushlstring(L, *box, length);
    return 1;
}

/* ---- the module */

/***
Makes a client: one queue and its workers. Starts no thread.
@function zookeeper.new
@tparam[opt] {queue_limit=int} options
@treturn client
*/
static int lzookeeper_new(lua_State *L) {
    lua_Integer limit = QUEUE_LIMIT;
    struct error err = {.text = ""};
    struct client *c;

    if (!lua_isnoneornil(L, 1)) {
        luaL_checktype(L, 1, LUA_TTABLE);
        lua_getfield(L, 1, "queue_limit");
        limit = luaL_optinteger(L, -1, QUEUE_LIMIT);
        luaL_argcheck(L, limit > 0, 1, "queue_limit must be above 0");
    }
    c = push_box(L, sizeof(*c), CLIENT_TYPE);
    c->wake_fd = -1;
    lua_createtable(L, 0, 1);
    lua_setuservalue(L, -2);
    c->queue = queue_new((size_t)limit);
    if (!c->queue)
        return luaL_error(L, "out of memory");
    c->slow = worker_new();
    c->commander = worker_new();
    c->wake = channel_new(&err);
    c->admin = channel_new(&err);
    if (!c->slow || !c->commander || !c->wake || !c->admin)
        return luaL_error(L, "%s", err.text[0] ? err.text : "out of memory");
    session_log_to(c->queue);
    return 1;
}

/***
Turns the names in a list of servers into addresses. Blocks in DNS.
@function zookeeper.resolve
@string hosts  "name:port,..."
@treturn string
@treturn[2] nil
@treturn[2] string why
*/
static int lzookeeper_resolve(lua_State *L) {
    const char *hosts = luaL_checkstring(L, 1);
    struct error err = {.text = ""};
    char **box = push_box(L, sizeof(*box), STRING_TYPE);

    *box = session_resolve(hosts, &err);
    if (!*box)
        return push_failure(L, err.text, 0);
    lua_pushstring(L, *box);
    return 1;
}

/***
Returns ZooKeeper's words for a code.
@function zookeeper.strerror
@int code
*/
static int lzookeeper_strerror(lua_State *L) {
    lua_pushstring(L, session_strerror((int)luaL_checkinteger(L, 1)));
    return 1;
}

/***
Returns monotonic seconds.
@function zookeeper.now
*/
static int lzookeeper_now(lua_State *L) {
    lua_pushnumber(L, (double)clock_us() / 1e6);
    return 1;
}

/***
Returns 16 hex digits that tell a damaged text: FNV-1a of 64 bits.
@function zookeeper.checksum
@string text
*/
static int lzookeeper_checksum(lua_State *L) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    char digits[17];

    for (size_t i = 0; i < length; i++) {
        hash ^= (unsigned char)text[i];
        hash *= UINT64_C(0x100000001b3);
    }
    snprintf(digits, sizeof(digits), "%016llx", (unsigned long long)hash);
    lua_pushstring(L, digits);
    return 1;
}

/***
Sets an environment variable of this process. Only while nothing else runs.
@function zookeeper.setenv
@string name
@string value
*/
static int lzookeeper_setenv(lua_State *L) {
    if (setenv(luaL_checkstring(L, 1), luaL_checkstring(L, 2), 1) == -1)
        return luaL_error(L, "setenv: %s", strerror(errno));
    return 0;
}

/***
Opens a directory that stays reachable after a chroot.
@function zookeeper.open_directory
@string path
@treturn directory
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lzookeeper_open_directory(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    int *directory = push_box(L, sizeof(*directory), DIRECTORY_TYPE);

    *directory = file_open_directory(path);
    if (*directory == -1)
        return push_errno(L, path);
    return 1;
}

static const luaL_Reg module_functions[] = {
    {"new", lzookeeper_new},
    {"resolve", lzookeeper_resolve},
    {"strerror", lzookeeper_strerror},
    {"now", lzookeeper_now},
    {"checksum", lzookeeper_checksum},
    {"setenv", lzookeeper_setenv},
    {"open_directory", lzookeeper_open_directory},
    {NULL, NULL},
};

static const luaL_Reg client_methods[] = {
    {"open", lclient_open},
    {"poll", lclient_poll},
    {"wait", lclient_wait},
    {"tick", lclient_tick},
    {"close", lclient_close},
    {"wake_address", lclient_wake_address},
    {"wake_attach", lclient_wake_attach},
    {"wake", lclient_wake},
    {"admin_address", lclient_admin_address},
    {"command", lclient_command},
    {"write", lclient_write},
    {"hang_up", lclient_hang_up},
    {"__gc", lclient_close},
    {NULL, NULL},
};

static const luaL_Reg session_methods[] = {
    {"get_children", lsession_get_children},
    {"get", lsession_get},
    {"exists", lsession_exists},
    {"create", lsession_create},
    {"set", lsession_set},
    {"delete", lsession_delete},
    {"sync", lsession_sync},
    {"add_auth", lsession_add_auth},
    {"state", lsession_state},
    {"client_id", lsession_client_id},
    {"timeout", lsession_timeout},
    {"pending", lsession_pending},
    {"set_hosts", lsession_set_hosts},
    {"close", lsession_close},
    {"__gc", session_gc},
    {NULL, NULL},
};

static const luaL_Reg directory_methods[] = {
    {"read", ldirectory_read},
    {"__gc", directory_gc},
    {NULL, NULL},
};

static const luaL_Reg event_methods[] = {{"__gc", event_gc}, {NULL, NULL}};
static const luaL_Reg string_methods[] = {{"__gc", string_gc}, {NULL, NULL}};

static void make_type(lua_State *L, const char *type, const luaL_Reg *methods) {
    luaL_newmetatable(L, type);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

static void set_codes(lua_State *L) {
    static const struct {
        const char *name;
        int code;
    } codes[] = {
        {"ok", SESSION_OK},
        {"connection_loss", SESSION_LOST},
        {"bad_arguments", SESSION_BAD_ARGUMENTS},
        {"invalid_state", SESSION_INVALID_STATE},
        {"no_node", SESSION_NO_NODE},
        {"no_auth", SESSION_NO_AUTH},
        {"bad_version", SESSION_BAD_VERSION},
        {"node_exists", SESSION_NODE_EXISTS},
        {"not_empty", SESSION_NOT_EMPTY},
        {"session_expired", SESSION_SESSION_EXPIRED},
    };
    size_t count = sizeof(codes) / sizeof(codes[0]);

    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++)
        set_integer(L, codes[i].name, codes[i].code);
    lua_setfield(L, -2, "codes");
}

__attribute__((visibility("default"))) int luaopen_zookeeper(lua_State *L);

int luaopen_zookeeper(lua_State *L) {
    make_type(L, CLIENT_TYPE, client_methods);
    make_type(L, SESSION_TYPE, session_methods);
    make_type(L, DIRECTORY_TYPE, directory_methods);
    make_type(L, EVENT_TYPE, event_methods);
    make_type(L, STRING_TYPE, string_methods);
    luaL_newlib(L, module_functions);
    set_string(L, "version", VERSION);
    set_codes(L);
    return 1;
}
