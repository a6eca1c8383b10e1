/* session.c - a session's methods in Lua
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "csrc/base/event.h"
#include "csrc/lua/module.h"
#include "csrc/zookeeper/session.h"

static struct session *check_session(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, SESSION_TYPE);

    if (!box->session)
        luaL_error(L, "session is closed");
    return box->session;
}

void lua_zk_close_session(struct box *box) {
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
    lua_zk_close_session(luaL_checkudata(L, 1, SESSION_TYPE));
    return 0;
}

/* Returns argument <n> as a path. The library takes C strings, so a NUL would
 * silently make it another path. */
static const char *check_path(lua_State *L, int n) {
    size_t length;
    const char *path = luaL_checklstring(L, n, &length);

    luaL_argcheck(L, strlen(path) == length, n, "a path holds no NUL");
    return path;
}

/***
Ends the session and, with it, its ephemeral znodes. Twice is harmless.
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
    lua_zk_close_session(box);
    return 0;
}

/* Pushes the result of a request: its number, true for 0, or a failure. */
static int push_request(lua_State *L, int64_t result) {
    if (result > 0)
        lua_pushinteger(L, result);
    else if (result == 0)
        lua_pushboolean(L, 1);
    else
        return lua_zk_failure(L, session_strerror((int)result), (int)result);
    return 1;
}

/***
Requests the names of a znode's children.
@function session:get_children
@string path
@bool[opt=false] watch  fires when a child comes or goes
@treturn integer the request's number; its reply carries `children`, `names`
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer code
*/
static int lsession_get_children(lua_State *L) {
    struct session *s = check_session(L);

    return push_request(
        L, session_get_children(s, check_path(L, 2), lua_toboolean(L, 3)));
}

/***
Requests a znode's data. As `get_children`; the reply carries `data`, `stat`.
@function session:get
@string path
@bool[opt=false] watch  fires when the data changes or the znode goes
*/
static int lsession_get(lua_State *L) {
    struct session *s = check_session(L);

    return push_request(L,
                        session_get(s, check_path(L, 2), lua_toboolean(L, 3)));
}

/***
Requests a znode's stat. As `get`; the watch fires on its creation too.
@function session:exists
@string path
@bool[opt=false] watch
*/
static int lsession_exists(lua_State *L) {
    struct session *s = check_session(L);

    return push_request(
        L, session_exists(s, check_path(L, 2), lua_toboolean(L, 3)));
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
Creates a znode that everyone may change. The reply's `data` is its path.
@function session:create
@string path
@string data
@tparam[opt] {ephemeral=bool,sequential=bool} options
*/
static int lsession_create(lua_State *L) {
    struct session *s = check_session(L);
    const char *path = check_path(L, 2);
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
    const char *path = check_path(L, 2);
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
    const char *path = check_path(L, 2);
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

    return push_request(L, session_sync(s, check_path(L, 2)));
}

/***
Adds credentials. They are kept for every later handle and never logged.
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
        lua_zk_push_client_id(L, id);
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
Returns how many more requests would be sent at once.
@function session:room
*/
static int lsession_room(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)session_room(check_session(L)));
    return 1;
}

/***
Sets the servers that the next handle uses.
@function session:set_hosts
@string hosts  numeric, as `zookeeper.resolve` returns
*/
static int lsession_set_hosts(lua_State *L) {
    struct session *s = check_session(L);

    if (session_set_hosts(s, luaL_checkstring(L, 2)) != 0)
        return luaL_error(L, "out of memory");
    return 0;
}

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
    {"room", lsession_room},
    {"set_hosts", lsession_set_hosts},
    {"close", lsession_close},
    {"__gc", session_gc},
    {NULL, NULL},
};

void lua_zk_register_session(lua_State *L) {
    lua_zk_type(L, SESSION_TYPE, session_methods);
}
