/* module.h - what the files of the Lua module share
 *
 * One thread at a time: the one that holds the Lua state.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_LUA_MODULE_H
#define CSRC_LUA_MODULE_H

#include <stdatomic.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

/* What the other Lua lacks: weak, so that the module can be loaded there and
 * say what is wrong, before it calls any of these. */
#if LUA_VERSION_NUM >= 504
#pragma weak lua_newuserdatauv
#pragma weak lua_getiuservalue
#pragma weak lua_setiuservalue
#else
#pragma weak lua_newuserdata
#pragma weak lua_getuservalue
#pragma weak lua_setuservalue
#endif

/* What Lua files of this tree may call, and how: it grows with each function,
 * argument, field or result that is added, changed or taken away, here and in
 * lua/synapse/c_module.lua. */
#define ZOOKEEPER_INTERFACE 8

#define CLIENT_TYPE    "zookeeper.client"
#define SESSION_TYPE   "zookeeper.session"
#define DIRECTORY_TYPE "zookeeper.directory"
#define FILE_TYPE      "zookeeper.file"
#define LOCK_TYPE      "zookeeper.lock"
#define EVENT_TYPE     "zookeeper.event"
#define STRING_TYPE    "zookeeper.string"
#define NAMES_TYPE     "zookeeper.names"
#define REPLY_TYPE     "zookeeper.reply"

struct event;

/* The userdata of a client: one queue, its workers and its sessions. */
struct client {
    struct queue *queue;      /* owned, NULL once closed */
    struct worker *slow;      /* owned: closes handles, writes files */
    struct worker *commander; /* owned: speaks the runtime API */
    struct worker *asker;     /* owned: asks name servers, with: */
    struct resolver *names;   /* owned */
    struct follower *files;   /* owned */
    struct channel *wake;     /* owned */
    struct channel *admin;    /* owned */
    int wake_fd;              /* owned, -1 until attached */
    atomic_bool waking;       /* a byte is on its way to the task */
    struct box *boxes;        /* borrowed: sessions of this client */
};

/* The userdata of a session. The client can empty it, so closing in any
 * order, and collecting in any order, is safe. */
struct box {
    struct box *next;        /* borrowed */
    struct session *session; /* owned, NULL once closed */
    struct client *client;   /* borrowed, while <session> is set */
};

/* Pushes nil, <message>, <code>; returns how many that are. */
int lua_zk_failure(lua_State *L, const char *message, int code);

/* Pushes nil, "<subject>: " and the words of errno, errno; returns 3. */
int lua_zk_errno(lua_State *L, const char *subject);

/* Returns the open client that is argument 1; raises otherwise. */
struct client *lua_zk_client(lua_State *L);

/* Pushes a userdata of <size> zeroed bytes with the metatable <type>. */
void *lua_zk_box(lua_State *L, size_t size, const char *type);

/* Sets <field> of the table on top; a NULL <value> sets nothing. */
void lua_zk_set_string(lua_State *L, const char *field, const char *value);
void lua_zk_set_integer(lua_State *L, const char *field, int64_t value);
void lua_zk_set_number(lua_State *L, const char *field, double value);

/* Pushes a session's id in the way ZooKeeper shows it. */
void lua_zk_push_client_id(lua_State *L, int64_t id);

/* Closes the session in <box>, if it is open. */
void lua_zk_close_session(struct box *box);

/* Gives the table on top, an event, the children of <ev> as `names`, which own
 * them from now on, and `children`, made when it is first asked for. */
void lua_zk_set_names(lua_State *L, struct event *ev);

/* zookeeper.lockdown() */
int lua_zk_lockdown(lua_State *L);

/* directory:lock() */
int lua_zk_lock(lua_State *L);

/* client:poll() */
int lua_zk_poll(lua_State *L);

/* Each makes the metatables of its file. */
void lua_zk_register_client(lua_State *L);
void lua_zk_register_session(lua_State *L);
void lua_zk_register_event(lua_State *L);
void lua_zk_register_names(lua_State *L);
void lua_zk_register_lock(lua_State *L);

/* Makes the metatable <type> with <methods>, which is its own __index. */
void lua_zk_type(lua_State *L, const char *type, const luaL_Reg *methods);

#endif
