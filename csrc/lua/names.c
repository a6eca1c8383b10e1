/* names.c - the names of a znode's children, as one Lua object
 *
 * If one of a thousand instances changes, a thousand new Lua strings would take
 * longer than everything else. So the list stays in C, and Lua gets only the
 * difference from the list before.
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "csrc/base/event.h"
#include "csrc/base/hash.h"
#include "csrc/lua/module.h"

/* The most that max_instances can be. */
#define MOST_ADMITTED 1000000

struct names {
    char **list; /* owned; <count> names in this one block, in no order */
    size_t count;
};

static const struct names nobody;

static struct names *names_check(lua_State *L, int index) {
    return luaL_checkudata(L, index, NAMES_TYPE);
}

/***
Frees the list now, because Lua's collector does not know how large it is. The
list is empty afterwards.
@function names:close
*/
static int names_close(lua_State *L) {
    struct names *n = names_check(L, 1);

    free(n->list);
    *n = nobody;
    return 0;
}

static int names_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)names_check(L, 1)->count);
    return 1;
}

static void append(lua_State *L, int table, const char *name) {
    lua_pushstring(L, name);
    lua_rawseti(L, table, (lua_Integer)lua_rawlen(L, table) + 1);
}

/* Leaves out of <a> and <b> the names with which both begin, and those with
 * which both end. A server lists the children that stayed in the same order
 * nearly always, so that little more is left than what has changed. */
static void trim(struct names *a, struct names *b) {
    while (a->count > 0 && b->count > 0 &&
           strcmp(a->list[0], b->list[0]) == 0) {
        a->list++;
        b->list++;
        a->count--;
        b->count--;
    }
    while (a->count > 0 && b->count > 0 &&
           strcmp(a->list[a->count - 1], b->list[b->count - 1]) == 0) {
        a->count--;
        b->count--;
    }
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Replaces <n> by a sorted copy, which lives on the Lua stack. */
static void sort(lua_State *L, struct names *n) {
    char **copy = lua_newuserdata(L, (n->count + 1) * sizeof(*copy));

    if (n->count > 0)
        memcpy(copy, n->list, n->count * sizeof(*copy));
    qsort(copy, n->count, sizeof(*copy), compare);
    n->list = copy;
}

/***
Compares this list with an earlier one of the same znode.
@function names:difference
@tparam[opt] names before  nil: an empty list
@treturn {string,...} the names that came, sorted
@treturn {string,...} the names that are gone, sorted
*/
static int names_difference(lua_State *L) {
    struct names now = *names_check(L, 1);
    struct names before = lua_isnoneornil(L, 2) ? nobody : *names_check(L, 2);
    size_t i = 0;
    size_t j = 0;

    lua_settop(L, 2);
    trim(&before, &now);
    sort(L, &before);
    sort(L, &now);
    lua_newtable(L);
    lua_newtable(L);
    while (i < before.count || j < now.count) {
        int order = i == before.count ? 1
                    : j == now.count  ? -1
                                      : strcmp(before.list[i], now.list[j]);

        if (order > 0)
            append(L, 5, now.list[j]);
        else if (order < 0)
            append(L, 6, before.list[i]);
        i += order <= 0;
        j += order >= 0;
    }
    return 2;
}

/* The names that names_admit() knows already: a hash table with open
 * addressing. It lives on the Lua stack, and so do its names: they are keys of
 * a Lua table. */
struct known {
    const char **slots;
    uint64_t seed; /* so that nobody can choose names that collide */
    size_t mask;   /* its size, a power of two, less one */
    size_t count;
};

/* Returns the place of <name> in <k>, or the free one where it belongs. */
static const char **find(const struct known *k, const char *name) {
    size_t i = hash_seeded(name, k->seed) & k->mask;

    while (k->slots[i] && strcmp(k->slots[i], name) != 0)
        i = (i + 1) & k->mask;
    return &k->slots[i];
}

/* If the kernel has no random number yet, the address serves as one: ASLR makes
 * it hard to guess. */
static uint64_t new_seed(const void *address) {
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
        seed = (uint64_t)(uintptr_t)address;
    return seed;
}

/* Collects the keys of the Lua table at <index>. Raises unless all of them are
 * strings. */
static struct known known_names(lua_State *L, int index) {
    struct known k = {.mask = 1};

    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        k.count++;
    while (k.mask < 2 * k.count)
        k.mask = 2 * k.mask + 1;
    k.slots = lua_newuserdata(L, (k.mask + 1) * sizeof(*k.slots));
    k.seed = new_seed(k.slots);
    memset(k.slots, 0, (k.mask + 1) * sizeof(*k.slots));
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, index,
                      "a name is not a string");
        *find(&k, lua_tostring(L, -2)) = lua_tostring(L, -2);
    }
    return k;
}

/* Adds <name> to <heap>, which has <count> names and keeps the <most> that sort
 * first; the last of these is at the top. Returns the new count. */
static size_t keep_first(const char **heap, size_t count, size_t most,
                         const char *name) {
    size_t at = count;
    size_t next;

    if (count < most) {
        for (; at > 0 && strcmp(heap[(at - 1) / 2], name) < 0;
             at = (at - 1) / 2)
            heap[at] = heap[(at - 1) / 2];
        heap[at] = name;
        return count + 1;
    }
    if (most == 0 || strcmp(heap[0], name) <= 0)
        return count;
    for (at = 0; (next = 2 * at + 1) < count; at = next) {
        if (next + 1 < count && strcmp(heap[next + 1], heap[next]) > 0)
            next++;
        if (strcmp(heap[next], name) <= 0)
            break;
        heap[at] = heap[next];
    }
    heap[at] = name;
    return count;
}

/***
Returns the names that may be used if at most `most` may. Known names stay, and
new ones take the remaining places in the order of their names. A path may have
a hundred thousand children, so no Lua string is made of the others.
@function names:admit
@tparam integer most
@tparam {[string]=any} known  its keys are the names known
@treturn {string,...} at most `most` of the names, in no order
*/
static int names_admit(lua_State *L) {
    const struct names *n = names_check(L, 1);
    lua_Integer most = luaL_checkinteger(L, 2);
    struct known known;
    const char **first[2]; /* of those known, of the newcomers */
    size_t count[2] = {0, 0};

    luaL_argcheck(L, most >= 0 && most <= MOST_ADMITTED, 2, "out of range");
    luaL_checktype(L, 3, LUA_TTABLE);
    known = known_names(L, 3);
    for (int i = 0; i < 2; i++)
        first[i] = lua_newuserdata(L, (size_t)(most + 1) * sizeof(**first));
    for (size_t i = 0; i < n->count; i++) {
        int which = *find(&known, n->list[i]) == NULL;

        count[which] =
            keep_first(first[which], count[which], (size_t)most, n->list[i]);
    }
    lua_createtable(L, (int)most, 0);
    for (size_t i = 0; i < count[0]; i++)
        append(L, lua_gettop(L), first[0][i]);
    qsort(first[1], count[1], sizeof(**first), compare);
    for (size_t i = 0; i < count[1] && count[0] + i < (size_t)most; i++)
        append(L, lua_gettop(L), first[1][i]);
    return 1;
}

/* Tells whether <name> is like <pattern>, in which each `*` stands for any
 * letters. What comes after the last `*` is the only part that is tried again,
 * so the steps are at most as many as the product of the two lengths. */
static bool is_like(const char *name, const char *pattern) {
    const char *after_star = NULL;
    const char *from = NULL;

    while (*name != '\0') {
        if (*pattern == '*') {
            after_star = ++pattern;
            from = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (after_star) {
            pattern = after_star;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/***
Keeps the names that are like one of the patterns; the others leave the list.
@function names:keep
@tparam {string,...} patterns names in which each `*` stands for any letters
*/
static int names_keep(lua_State *L) {
    struct names *n = names_check(L, 1);
    size_t patterns;
    const char **pattern;
    size_t kept = 0;

    luaL_checktype(L, 2, LUA_TTABLE);
    patterns = lua_rawlen(L, 2);
    pattern = lua_newuserdata(L, (patterns + 1) * sizeof(*pattern));
    for (size_t i = 0; i < patterns; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2,
                      "a pattern is not a string");
        pattern[i] = lua_tostring(L, -1); /* lives on in the table */
        lua_pop(L, 1);
    }
    for (size_t i = 0; i < n->count; i++) {
        size_t tried = 0;

        while (tried < patterns && !is_like(n->list[i], pattern[tried]))
            tried++;
        if (tried < patterns)
            n->list[kept++] = n->list[i];
    }
    n->count = kept;
    return 0;
}

/* The __index of a reply: makes `children` of `names` at the first use. */
static int reply_index(lua_State *L) {
    const struct names *n;
    const char *key = lua_tostring(L, 2);

    if (!key || strcmp(key, "children") != 0)
        return 0;
    lua_getfield(L, 1, "names");
    n = names_check(L, -1);
    lua_createtable(L, (int)n->count, 0);
    for (size_t i = 0; i < n->count; i++) {
        lua_pushstring(L, n->list[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, "children");
    return 1;
}

void lua_zk_set_names(lua_State *L, struct event *ev) {
    struct names *n = lua_zk_box(L, sizeof(*n), NAMES_TYPE);

    n->list = ev->children;
    n->count = ev->count;
    ev->children = NULL;
    ev->count = 0;
    lua_setfield(L, -2, "names");
    luaL_setmetatable(L, REPLY_TYPE);
}

static const luaL_Reg names_methods[] = {{"difference", names_difference},
                                         {"admit", names_admit},
                                         {"keep", names_keep},
                                         {"__len", names_len},
                                         {"close", names_close},
                                         {"__gc", names_close},
                                         {NULL, NULL}};

void lua_zk_register_names(lua_State *L) {
    lua_zk_type(L, NAMES_TYPE, names_methods);
    luaL_newmetatable(L, REPLY_TYPE);
    lua_pushcfunction(L, reply_index);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
