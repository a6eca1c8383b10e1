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

/* Functions that only one of Lua 5.3 and 5.4 has. They are weak, so that the
 * other Lua can load the module too: it then reports the mismatch before it
 * calls any of them. */
#if LUA_VERSION_NUM >= 504
#pragma weak lua_newuserdatauv
#pragma weak lua_getiuservalue
#pragma weak lua_setiuservalue
#else
#pragma weak lua_newuserdata
#pragma weak lua_getuservalue
#pragma weak lua_setuservalue
#endif

/* The version of what this module offers to the Lua files of this tree. Raise
 * it, here and in lua/synapse/c_module.lua, whenever a function, an argument, a
 * field or a result is added, changed or removed. */
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
    struct queue *queue;         /* owned, NULL once closed */
    struct worker *slow;         /* owned: closes handles, writes files */
    struct commander *commander; /* owned: speaks the runtime API */
    struct worker *asker;        /* owned: looks up names, with <names> */
    struct resolver *names;      /* owned */
    struct follower *files;      /* owned */
    struct channel *wake;        /* owned */
    struct channel *admin;       /* owned */
    int wake_fd;                 /* owned, -1 until attached */
    atomic_bool waking;          /* a byte is on its way to the task */
    struct box *boxes;           /* borrowed: sessions of this client */
};

/* The userdata of a session. A client that is closed first empties the boxes of
 * its sessions, so the order in which Lua closes or collects them is free. */
struct box {
    struct box *next;        /* borrowed */
    struct session *session; /* owned, NULL once closed */
    struct client *client;   /* borrowed, while <session> is set */
};

/* Pushes nil, <message> and <code>; returns 3, how many these are. */
int lua_zk_failure(lua_State *L, const char *message, int code);

/* Pushes nil, "<subject>: " with the words of errno, and errno; returns 3. */
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

/* Moves the children of <ev> into the field `names` of the event on top of the
 * stack, which owns them from now on. Its field `children` is made of them at
 * the first use. */
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
