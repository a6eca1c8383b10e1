/* client.c - a client's methods in Lua
 * SPDX-License-Identifier: MIT
 */
#include <sys/socket.h>
#include <unistd.h>

#include "csrc/base/clock.h"
#include "csrc/base/error.h"
#include "csrc/base/file.h"
#include "csrc/base/follower.h"
#include "csrc/base/queue.h"
#include "csrc/base/resolver.h"
#include "csrc/base/worker.h"
#include "csrc/haproxy/channel.h"
#include "csrc/haproxy/runtime_api.h"
#include "csrc/lua/module.h"
#include "csrc/zookeeper/hosts_lookup.h"
#include "csrc/zookeeper/session.h"

#define TICK_MS             250
#define COMMAND_SECONDS     10
#define COMMAND_SECONDS_MAX 3600

/* At most one byte is on its way. Another one would make the task turn again at
 * once, before HAProxy serves other traffic. Any thread. */
static void write_byte(void *arg) {
    struct client *c = arg;

    if (c->wake_fd != -1 && !atomic_exchange(&c->waking, true))
        (void)!send(c->wake_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void detach_wake(struct client *c) {
    queue_set_wake(c->queue, NULL, NULL);
    if (c->wake_fd != -1)
        close(c->wake_fd);
    c->wake_fd = -1;
}

static void tick(struct client *c) {
    for (struct box *box = c->boxes; box; box = box->next)
        session_tick(box->session);
}

/***
Lets time pass for all sessions. Call it a few times a second.
@function client:tick
*/
static int lclient_tick(lua_State *L) {
    tick(lua_zk_client(L));
    return 0;
}

/***
Waits for an event. It blocks the thread, so do not use it inside HAProxy.
@function client:wait
@int milliseconds
@treturn bool whether there is one
*/
static int lclient_wait(lua_State *L) {
    struct client *c = lua_zk_client(L);
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
    struct client *c = lua_zk_client(L);
    struct session_options options = {0};
    struct error err = {.text = ""};
    struct box *box;

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_getfield(L, 2, "hosts");
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2,
                  "hosts: not a string such as \"10.0.0.1:2181\"");
    options.hosts = lua_tostring(L, -1);
    options.timeout_ms = option_integer(L, "timeout", 1000);
    options.max_data = (size_t)option_integer(L, "max_data", 1);
    options.max_in_flight = (size_t)option_integer(L, "max_in_flight", 1);
    lua_getuservalue(L, 1);
    box = lua_zk_box(L, sizeof(*box), SESSION_TYPE);
    lua_pushvalue(L, 1);
    lua_setuservalue(L, -2);

    box->session = session_open(c->queue, c->slow, &options, &err);
    if (!box->session)
        return lua_zk_failure(L, err.text, 0);
    box->client = c;
    box->next = c->boxes;
    c->boxes = box;
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, session_number(box->session));
    return 1;
}

/***
Returns the address to which the waiting task connects.
@function client:wake_address
*/
static int lclient_wake_address(lua_State *L) {
    lua_pushfstring(L, "sockpair@%d", channel_fd(lua_zk_client(L)->wake));
    return 1;
}

/***
Takes our end of the connection that the task has just made.
@function client:wake_attach
@treturn bool true
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_wake_attach(lua_State *L) {
    struct client *c = lua_zk_client(L);
    int fd = channel_accept(c->wake);

    if (fd == -1)
        return lua_zk_errno(L, "wake channel");
    detach_wake(c);
    c->wake_fd = fd;
    atomic_store(&c->waking, false);
    queue_set_wake(c->queue, write_byte, c);
    lua_pushboolean(L, 1);
    return 1;
}

/***
Wakes the task now.
@function client:wake
*/
static int lclient_wake(lua_State *L) {
    write_byte(lua_zk_client(L));
    return 0;
}

/***
Notes that the task has taken the byte that woke it. Call it before the task
polls: whatever comes later wakes the task again.
@function client:woken
*/
static int lclient_woken(lua_State *L) {
    atomic_store(&lua_zk_client(L)->waking, false);
    return 0;
}

/***
Returns the address for HAProxy's `stats socket` line.
@function client:admin_address
*/
static int lclient_admin_address(lua_State *L) {
    lua_pushfstring(L, "sockpair@%d", channel_fd(lua_zk_client(L)->admin));
    return 1;
}

/***
Sends a line of runtime API commands; an `answer` event follows.
@function client:command
@string text  commands separated by ";", shorter than one buffer (16 kB)
@number[opt=10] seconds
@treturn integer the request's number
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_command(lua_State *L) {
    struct client *c = lua_zk_client(L);
    const char *text = luaL_checkstring(L, 2);
    double seconds = luaL_optnumber(L, 3, COMMAND_SECONDS);
    uint32_t request = queue_number(c->queue);

    luaL_argcheck(L, seconds > 0 && seconds <= COMMAND_SECONDS_MAX, 3,
                  "not 0 to 3600 seconds");
    if (commander_send(c->commander, text, request, (int)(seconds * 1000)) != 0)
        return lua_zk_errno(L, "runtime API");
    lua_pushinteger(L, request);
    return 1;
}

/***
Writes a file on a worker; a `job` event follows.
@function client:write
@tparam directory directory
@string name
@string data
@int[opt=384] mode  of the file; 384 is 0600
@treturn integer the request's number
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_write(lua_State *L) {
    struct client *c = lua_zk_client(L);
    const int *directory = luaL_checkudata(L, 2, DIRECTORY_TYPE);
    const char *name = luaL_checkstring(L, 3);
    size_t length;
    const char *data = luaL_checklstring(L, 4, &length);
    mode_t mode = (mode_t)luaL_optinteger(L, 5, 0600);
    uint32_t request = queue_number(c->queue);

    if (file_write(c->slow, c->queue, *directory, name, data, length, mode,
                   request) != 0)
        return lua_zk_errno(L, name);
    lua_pushinteger(L, request);
    return 1;
}

/***
Removes a file on a worker; a `job` event follows.
@function client:remove
@tparam directory directory
@string name
@treturn integer the request's number
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_remove(lua_State *L) {
    struct client *c = lua_zk_client(L);
    const int *directory = luaL_checkudata(L, 2, DIRECTORY_TYPE);
    const char *name = luaL_checkstring(L, 3);
    uint32_t request = queue_number(c->queue);

    if (file_remove(c->slow, c->queue, *directory, name, request) != 0)
        return lua_zk_errno(L, name);
    lua_pushinteger(L, request);
    return 1;
}

/***
Resolves the names in a list of servers on a worker; an `addresses` event
follows. It reads /etc/hosts, and asks the name servers that there were when the
client was made.
@function client:resolve
@string hosts  "name:port,..."
@treturn integer the request's number
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_resolve(lua_State *L) {
    struct client *c = lua_zk_client(L);
    const char *hosts = luaL_checkstring(L, 2);
    uint32_t request = queue_number(c->queue);

    if (hosts_look_up_later(c->asker, c->queue, c->names, hosts, request) != 0)
        return lua_zk_errno(L, hosts);
    lua_pushinteger(L, request);
    return 1;
}

/***
Follows the files of a directory, which a later chroot may hide. Call it before
`follow_begin`.
@function client:follow
@string directory  its path
@string ending  with which the files' names end
@treturn boolean true
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_follow(lua_State *L) {
    struct client *c = lua_zk_client(L);
    const char *directory = luaL_checkstring(L, 2);

    if (follower_add(c->files, directory, luaL_checkstring(L, 3)) != 0)
        return lua_zk_errno(L, directory);
    lua_pushboolean(L, 1);
    return 1;
}

/***
Begins to send a `files` event when followed files have been written or renamed,
and no other was for 20 ms. Starts a thread, so call it after a fork.
@function client:follow_begin
@treturn boolean true
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lclient_follow_begin(lua_State *L) {
    struct client *c = lua_zk_client(L);

    if (follower_start(c->files, c->queue) != 0)
        return lua_zk_errno(L, "inotify");
    lua_pushboolean(L, 1);
    return 1;
}

/***
Closes our end of the wake channel, which ends the task's socket, and the
connection for commands. The next command opens another.
@function client:hang_up
*/
static int lclient_hang_up(lua_State *L) {
    struct client *c = lua_zk_client(L);

    detach_wake(c);
    commander_hang_up(c->commander);
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
        lua_zk_close_session(c->boxes);
    session_log_stop(c->queue);
    if (c->names)
        resolver_stop(c->names);
    follower_free(c->files);
    worker_free(c->slow);
    commander_free(c->commander);
    worker_free(c->asker);
    resolver_free(c->names);
    detach_wake(c);
    channel_free(c->wake);
    channel_free(c->admin);
    queue_free(c->queue);
    c->queue = NULL;
    return 0;
}

static const luaL_Reg client_methods[] = {
    {"open", lclient_open},
    {"poll", lua_zk_poll},
    {"wait", lclient_wait},
    {"tick", lclient_tick},
    {"close", lclient_close},
    {"wake_address", lclient_wake_address},
    {"wake_attach", lclient_wake_attach},
    {"wake", lclient_wake},
    {"woken", lclient_woken},
    {"admin_address", lclient_admin_address},
    {"command", lclient_command},
    {"write", lclient_write},
    {"remove", lclient_remove},
    {"resolve", lclient_resolve},
    {"follow", lclient_follow},
    {"follow_begin", lclient_follow_begin},
    {"hang_up", lclient_hang_up},
    {"__gc", lclient_close},
    {NULL, NULL},
};

void lua_zk_register_client(lua_State *L) {
    lua_zk_type(L, CLIENT_TYPE, client_methods);
}
