/* module.c - the Lua module's own functions; README.md is its manual
 *
 * Anything that allocates in Lua may leave by longjmp. So what C owns is put
 * into a box on the Lua stack before the next such call. This holds in every
 * file of this folder; no other folder knows Lua.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "csrc/base/clock.h"
#include "csrc/base/error.h"
#include "csrc/base/file.h"
#include "csrc/base/follower.h"
#include "csrc/base/hash.h"
#include "csrc/base/queue.h"
#include "csrc/base/resolver.h"
#include "csrc/base/worker.h"
#include "csrc/haproxy/channel.h"
#include "csrc/haproxy/runtime_api.h"
#include "csrc/lua/module.h"
#include "csrc/zookeeper/hosts.h"
#include "csrc/zookeeper/hosts_lookup.h"
#include "csrc/zookeeper/session.h"

#define QUEUE_LIMIT  100000
#define LOOKUPS_TYPE "zookeeper.lookups"

/* Lists of servers that are being resolved. */
struct lookups {
    struct hosts_lookup *list; /* owned */
    size_t count;
};

int lua_zk_failure(lua_State *L, const char *message, int code) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    lua_pushinteger(L, code);
    return 3;
}

int lua_zk_errno(lua_State *L, const char *subject) {
    int reason = errno;

    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", subject, strerror(reason));
    lua_pushinteger(L, reason);
    return 3;
}

struct client *lua_zk_client(lua_State *L) {
    struct client *c = luaL_checkudata(L, 1, CLIENT_TYPE);

    if (!c->queue)
        luaL_error(L, "client is closed");
    return c;
}

void *lua_zk_box(lua_State *L, size_t size, const char *type) {
    void *box = lua_newuserdata(L, size);

    memset(box, 0, size);
    luaL_setmetatable(L, type);
    return box;
}

void lua_zk_set_string(lua_State *L, const char *field, const char *value) {
    if (!value)
        return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, field);
}

void lua_zk_set_integer(lua_State *L, const char *field, int64_t value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, field);
}

void lua_zk_set_number(lua_State *L, const char *field, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, field);
}

void lua_zk_push_client_id(lua_State *L, int64_t id) {
    char text[32];

    snprintf(text, sizeof(text), "0x%llx", (unsigned long long)id);
    lua_pushstring(L, text);
}

void lua_zk_type(lua_State *L, const char *type, const luaL_Reg *methods) {
    luaL_newmetatable(L, type);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

static int directory_gc(lua_State *L) {
    int *directory = luaL_checkudata(L, 1, DIRECTORY_TYPE);

    if (*directory != -1)
        close(*directory);
    *directory = -1;
    return 0;
}

static int file_gc(lua_State *L) {
    int *file = luaL_checkudata(L, 1, FILE_TYPE);

    if (*file != -1)
        close(*file);
    *file = -1;
    return 0;
}

static int string_gc(lua_State *L) {
    char **box = luaL_checkudata(L, 1, STRING_TYPE);

    free(*box);
    *box = NULL;
    return 0;
}

/***
Reads a regular file. It follows no symbolic link unless `links` is true.
@function directory:read
@string name  or an absolute path
@int max  bytes
@bool[opt] links  whether the file may be a symbolic link
@treturn string
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int ldirectory_read(lua_State *L) {
    const int *directory = luaL_checkudata(L, 1, DIRECTORY_TYPE);
    const char *name = luaL_checkstring(L, 2);
    lua_Integer max = luaL_checkinteger(L, 3);
    bool is_linked = lua_toboolean(L, 4); /* before the box may be there */
    char **box = lua_zk_box(L, sizeof(*box), STRING_TYPE);
    size_t length;

    luaL_argcheck(L, max >= 0, 3, "not a number of bytes");
    *box = is_linked ? file_read_linked(*directory, name, (size_t)max, &length)
                     : file_read(*directory, name, (size_t)max, &length);
    if (!*box)
        return lua_zk_errno(L, name);
    lua_pushlstring(L, *box, length);
    return 1;
}

/***
Returns a number that changes with a file. Follows symbolic links.
@function directory:stamp
@string name  or an absolute path
@treturn integer
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int ldirectory_stamp(lua_State *L) {
    const int *directory = luaL_checkudata(L, 1, DIRECTORY_TYPE);
    const char *name = luaL_checkstring(L, 2);
    uint64_t stamp;

    if (file_stamp(*directory, name, &stamp) == -1)
        return lua_zk_errno(L, name);
    lua_pushinteger(L, (lua_Integer)stamp);
    return 1;
}

/***
Returns the network file system of a file, which may not answer. Follows
symbolic links.
@function directory:remote
@string name  or an absolute path
@treturn ?string for people, such as "NFS"; nil: on none, or it cannot be opened
*/
static int ldirectory_remote(lua_State *L) {
    const int *directory = luaL_checkudata(L, 1, DIRECTORY_TYPE);

    lua_pushstring(L, file_remote(*directory, luaL_checkstring(L, 2)));
    return 1;
}

/***
Lists a directory in the directory.
@function directory:list
@string name  or an absolute path
@treturn {string,...} names, in no order
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int ldirectory_list(lua_State *L) {
    const int *directory = luaL_checkudata(L, 1, DIRECTORY_TYPE);
    const char *name = luaL_checkstring(L, 2);
    char **box = lua_zk_box(L, sizeof(*box), STRING_TYPE);
    lua_Integer count = 0;
    size_t length;

    *box = file_list(*directory, name, &length);
    if (!*box)
        return lua_zk_errno(L, name);
    lua_newtable(L);
    for (size_t at = 0; at < length; at += strlen(*box + at) + 1) {
        lua_pushstring(L, *box + at);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/***
Returns when a file was last changed.
@function directory:changed
@string name
@treturn integer seconds since 1970
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int ldirectory_changed(lua_State *L) {
    const int *directory = luaL_checkudata(L, 1, DIRECTORY_TYPE);
    const char *name = luaL_checkstring(L, 2);
    int64_t changed = file_changed(*directory, name);

    if (changed == -1)
        return lua_zk_errno(L, name);
    lua_pushinteger(L, changed);
    return 1;
}

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
    c = lua_zk_box(L, sizeof(*c), CLIENT_TYPE);
    c->wake_fd = -1;
    lua_createtable(L, 0, 1);
    lua_setuservalue(L, -2);
    c->queue = queue_new((size_t)limit);
    if (!c->queue)
        return luaL_error(L, "out of memory");
    c->slow = worker_new();
    c->asker = worker_new();
    c->names = resolver_new("/etc");
    c->files = follower_new();
    c->wake = channel_new(&err);
    c->admin = channel_new(&err);
    c->commander = commander_new(c->queue, c->admin);
    if (!c->slow || !c->commander || !c->asker || !c->names || !c->files ||
        !c->wake || !c->admin)
        return luaL_error(L, "%s", err.text[0] ? err.text : "out of memory");
    session_log_to(c->queue);
    return 1;
}

/***
Turns the names in a list of servers into addresses. Blocks in DNS.
@function zookeeper.resolve
@string hosts  "name:port,..."
@treturn string
@treturn ?string the names that have no address, and why
@treturn[2] nil
@treturn[2] string why
*/
static int lzookeeper_resolve(lua_State *L) {
    const char *hosts = luaL_checkstring(L, 1);
    struct error err = {.text = ""};
    char **box = lua_zk_box(L, sizeof(*box), STRING_TYPE);

    *box = hosts_resolve(hosts, &err);
    if (!*box)
        return lua_zk_failure(L, err.text, 0);
    lua_pushstring(L, *box);
    if (!err.text[0])
        return 1;
    lua_pushstring(L, err.text);
    return 2;
}

static void free_lookups(struct lookups *l) {
    for (size_t i = 0; i < l->count; i++)
        free(l->list[i].numeric);
    free(l->list);
    *l = (struct lookups){0};
}

static int lookups_gc(lua_State *L) {
    free_lookups(luaL_checkudata(L, 1, LOOKUPS_TYPE));
    return 0;
}

/* Returns the lists of servers in the table that is argument 1, on the Lua
 * stack. */
static struct lookups *check_lookups(lua_State *L) {
    struct lookups *l = lua_zk_box(L, sizeof(*l), LOOKUPS_TYPE);
    size_t count = (size_t)lua_rawlen(L, 1);

    l->list = calloc(count + 1, sizeof(*l->list));
    if (!l->list)
        luaL_error(L, "out of memory");
    for (; l->count < count; l->count++) {
        lua_rawgeti(L, 1, (lua_Integer)l->count + 1);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1,
                      "not a list of strings");
        l->list[l->count].hosts = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    return l;
}

/***
Resolves several lists of servers at once, and waits for a limited time. Call it
only while this process has one thread.
@function zookeeper.resolve_all
@tparam {string,...} hosts
@number seconds
@treturn {[string]=string} the addresses of those that have any
@treturn {[string]=string} the names that have none, and why
*/
static int lzookeeper_resolve_all(lua_State *L) {
    lua_Number seconds = luaL_checknumber(L, 2);
    struct lookups *l;

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, seconds > 0 && seconds <= 3600, 2, "not 0 to 3600");
    l = check_lookups(L);
    hosts_look_up(l->list, l->count, (int)(seconds * 1000));
    lua_createtable(L, 0, (int)l->count);
    lua_createtable(L, 0, 0);
    for (size_t i = 0; i < l->count; i++) {
        const struct hosts_lookup *lookup = &l->list[i];

        if (lookup->err.text[0])
            lua_zk_set_string(L, lookup->hosts, lookup->err.text);
        lua_pushvalue(L, -2);
        lua_zk_set_string(L, lookup->hosts, lookup->numeric);
        lua_pop(L, 1);
    }
    free_lookups(l);
    return 2;
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
Returns the processor time of the calling thread in seconds. It shows how long a
program has blocked its thread, however busy the machine is.
@function zookeeper.thread_time
*/
static int lzookeeper_thread_time(lua_State *L) {
    lua_pushnumber(L, (double)clock_thread_us() / 1e6);
    return 1;
}

/***
Returns a checksum of 16 hex digits that detects damage: FNV-1a, 64 bits.
@function zookeeper.checksum
@string text
@string[opt] before  the checksum of the text before this one
*/
static int lzookeeper_checksum(lua_State *L) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    const char *before = luaL_optstring(L, 2, NULL);
    uint64_t hash = before ? hash_more(strtoull(before, NULL, 16), text, length)
                           : hash_bytes(text, length);
    char digits[17];

    snprintf(digits, sizeof(digits), "%016" PRIx64, hash);
    lua_pushstring(L, digits);
    return 1;
}

/***
Sets an environment variable of this process. Call it only while no other thread
runs.
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
    int *directory = lua_zk_box(L, sizeof(*directory), DIRECTORY_TYPE);

    *directory = file_open_directory(path);
    if (*directory == -1)
        return lua_zk_errno(L, path);
    return 1;
}

/***
Makes a file in memory, which is in no directory. This process can read it at
its path until it is closed.
@function zookeeper.memory_file
@string text  its content
@treturn file  with `close()`
@treturn string its path
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int lzookeeper_memory_file(lua_State *L) {
    size_t length, written = 0;
    const char *text = luaL_checklstring(L, 1, &length);
    int *file = lua_zk_box(L, sizeof(*file), FILE_TYPE);

    *file = memfd_create("myelin", MFD_CLOEXEC);
    if (*file == -1)
        return lua_zk_errno(L, "memfd_create");
    while (written < length) {
        ssize_t n = write(*file, text + written, length - written);

        if (n == -1 && errno != EINTR)
            return lua_zk_errno(L, "memfd");
        written += n > 0 ? (size_t)n : 0;
    }
    lua_pushfstring(L, "/proc/self/fd/%d", *file);
    return 2;
}

static const luaL_Reg module_functions[] = {
    {"new", lzookeeper_new},
    {"resolve", lzookeeper_resolve},
    {"resolve_all", lzookeeper_resolve_all},
    {"strerror", lzookeeper_strerror},
    {"now", lzookeeper_now},
    {"thread_time", lzookeeper_thread_time},
    {"checksum", lzookeeper_checksum},
    {"setenv", lzookeeper_setenv},
    {"open_directory", lzookeeper_open_directory},
    {"memory_file", lzookeeper_memory_file},
    {"lockdown", lua_zk_lockdown},
    {NULL, NULL},
};
static const luaL_Reg directory_methods[] = {
    {"read", ldirectory_read},       {"stamp", ldirectory_stamp},
    {"list", ldirectory_list},       {"remote", ldirectory_remote},
    {"changed", ldirectory_changed}, {"lock", lua_zk_lock},
    {"__gc", directory_gc},          {NULL, NULL},
};
static const luaL_Reg file_methods[] = {
    {"close", file_gc},
    {"__gc", file_gc},
    {NULL, NULL},
};
static const luaL_Reg lookups_methods[] = {{"__gc", lookups_gc}, {NULL, NULL}};
static const luaL_Reg string_methods[] = {{"__gc", string_gc}, {NULL, NULL}};

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
        lua_zk_set_integer(L, codes[i].name, codes[i].code);
    lua_setfield(L, -2, "codes");
}

__attribute__((visibility("default"))) int luaopen_zookeeper(lua_State *L);

/* Lua's functions and types differ between its versions. */
static void check_lua(lua_State *L) {
    const char *here;

    lua_getglobal(L, "_VERSION");
    here = lua_tostring(L, -1);
    if (!here || strcmp(here, LUA_VERSION) != 0)
        luaL_error(L,
                   "this program has %s, but this zookeeper.so is for %s: "
                   "install the one of make LUA=%s",
                   here ? here : "another Lua", LUA_VERSION,
                   here ? here + strcspn(here, "0123456789") : "...");
    lua_pop(L, 1);
}

int luaopen_zookeeper(lua_State *L) {
    check_lua(L);
    lua_zk_register_client(L);
    lua_zk_register_session(L);
    lua_zk_register_event(L);
    lua_zk_register_names(L);
    lua_zk_register_lock(L);
    lua_zk_type(L, DIRECTORY_TYPE, directory_methods);
    lua_zk_type(L, FILE_TYPE, file_methods);
    lua_zk_type(L, STRING_TYPE, string_methods);
    lua_zk_type(L, LOOKUPS_TYPE, lookups_methods);
    luaL_newlib(L, module_functions);
    lua_zk_set_string(L, "version", VERSION);
    lua_zk_set_integer(L, "interface", ZOOKEEPER_INTERFACE);
    set_codes(L);
    return 1;
}
