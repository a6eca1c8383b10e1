/* lock.c - lock files for Lua
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <unistd.h>

#include "csrc/base/hash.h"
#include "csrc/base/lock.h"
#include "csrc/lua/module.h"

/* Bytes that are read of a lock file. */
#define MAX_TEXT 4096

static int lock_gc(lua_State *L) {
    int *lock = luaL_checkudata(L, 1, LOCK_TYPE);

    if (*lock != -1)
        close(*lock);
    *lock = -1;
    return 0;
}

static uint64_t number_of(lua_State *L, int argument) {
    size_t length;
    const char *name = luaL_checklstring(L, argument, &length);

    return hash_bytes(name, length);
}

/***
Opens a lock file, and makes it if it is missing.
@function directory:lock
@string name
@treturn lock
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
int lua_zk_lock(lua_State *L) {
    const int *directory = luaL_checkudata(L, 1, DIRECTORY_TYPE);
    const char *name = luaL_checkstring(L, 2);
    int *lock = lua_zk_box(L, sizeof(*lock), LOCK_TYPE);

    *lock = lock_open(*directory, name);
    if (*lock == -1)
        return lua_zk_errno(L, name);
    return 1;
}

/***
Takes the lock. Processes that give the same identity share it, and a child
process has it too.
@function lock:take
@string identity
@treturn boolean false: another identity has it
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int llock_take(lua_State *L) {
    const int *lock = luaL_checkudata(L, 1, LOCK_TYPE);
    int taken = lock_take(*lock, number_of(L, 2));

    if (taken == -1 && errno != EAGAIN)
        return lua_zk_errno(L, "lock");
    lua_pushboolean(L, taken == 0);
    return 1;
}

/***
Tells whether another identity has the lock.
@function lock:is_taken
@string identity
@treturn boolean
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int llock_is_taken(lua_State *L) {
    const int *lock = luaL_checkudata(L, 1, LOCK_TYPE);
    int taken = lock_is_taken(*lock, number_of(L, 2));

    if (taken == -1)
        return lua_zk_errno(L, "lock");
    lua_pushboolean(L, taken == 1);
    return 1;
}

/***
Releases the lock.
@function lock:release
*/
static int llock_release(lua_State *L) {
    const int *lock = luaL_checkudata(L, 1, LOCK_TYPE);

    lock_release(*lock);
    return 0;
}

/***
Returns what the last holder of the lock wrote into its file, at most 4,096
bytes.
@function lock:read
@treturn string
*/
static int llock_read(lua_State *L) {
    const int *lock = luaL_checkudata(L, 1, LOCK_TYPE);
    char text[MAX_TEXT];
    ssize_t length = pread(*lock, text, sizeof(text), 0);

    lua_pushlstring(L, text, length > 0 ? (size_t)length : 0);
    return 1;
}

/***
Replaces the text in the lock file, which others may read.
@function lock:write
@string text
@treturn boolean true
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
static int llock_write(lua_State *L) {
    const int *lock = luaL_checkudata(L, 1, LOCK_TYPE);
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);

    luaL_argcheck(L, length <= MAX_TEXT, 2, "too long");
    if (ftruncate(*lock, 0) == -1 ||
        pwrite(*lock, text, length, 0) != (ssize_t)length)
        return lua_zk_errno(L, "lock");
    lua_pushboolean(L, 1);
    return 1;
}

static const luaL_Reg lock_methods[] = {
    {"take", llock_take},
    {"is_taken", llock_is_taken},
    {"release", llock_release},
    {"read", llock_read},
    {"write", llock_write},
    {"__gc", lock_gc},
    {NULL, NULL},
};

void lua_zk_register_lock(lua_State *L) {
    lua_zk_type(L, LOCK_TYPE, lock_methods);
}
