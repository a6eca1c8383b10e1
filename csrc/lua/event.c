/* event.c - events into Lua tables
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/lua/module.h"
#include "csrc/zookeeper/session.h"

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
    struct event **slot = lua_zk_box(L, sizeof(*slot), EVENT_TYPE);

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
    lua_zk_set_integer(L, "czxid", stat->czxid);
    lua_zk_set_integer(L, "mzxid", stat->mzxid);
    lua_zk_set_integer(L, "ctime", stat->ctime);
    lua_zk_set_integer(L, "mtime", stat->mtime);
    lua_zk_set_integer(L, "ephemeral_owner", stat->ephemeral_owner);
    lua_zk_set_integer(L, "version", stat->version);
    lua_zk_set_integer(L, "data_length", stat->data_length);
    lua_zk_set_integer(L, "num_children", stat->num_children);
    lua_setfield(L, -2, "stat");
}

static void set_data(lua_State *L, const char *field, const struct event *ev) {
    if (!ev->data)
        return;
    lua_pushlstring(L, ev->data, ev->length);
    lua_setfield(L, -2, field);
}

static void fill_session(lua_State *L, struct event *ev) {
    static const char *const links[] = {
        [LINK_SAME_HANDLE] = "same_handle",
        [LINK_NEW_HANDLE] = "new_handle",
        [LINK_NEW_SESSION] = "new_session",
    };

    lua_zk_set_string(L, "state", session_state_name(ev->state));
    if (ev->code != SESSION_OK)
        lua_zk_set_string(L, "error", session_strerror(ev->code));
    if (ev->state != SESSION_CONNECTED)
        return;
    lua_zk_set_string(L, "link", links[ev->link]);
    lua_zk_set_number(L, "timeout", ev->timeout_ms / 1000.0);
    lua_zk_push_client_id(L, ev->client_id);
    lua_setfield(L, -2, "client_id");
}

static void fill_reply(lua_State *L, struct event *ev) {
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

    lua_zk_set_integer(L, "request", (int64_t)ev->request);
    lua_zk_set_string(L, "op", ops[ev->op]);
    lua_zk_set_string(L, "path", ev->path);
    lua_zk_set_integer(L, "code", ev->code);
    if (ev->code != 0) {
        lua_zk_set_string(L, "error", session_strerror(ev->code));
        return;
    }
    if (reads)
        set_stat(L, &ev->stat);
    if (ev->op == OP_GET_CHILDREN)
        lua_zk_set_names(L, ev);
    else if (ev->op != OP_SYNC)
        set_data(L, "data", ev);
}

static void fill_watch(lua_State *L, struct event *ev) {
    static const char *const changes[] = {
        [CHANGE_CREATED] = "created",
        [CHANGE_DELETED] = "deleted",
        [CHANGE_DATA] = "data",
        [CHANGE_CHILDREN] = "children",
    };

    lua_zk_set_string(L, "path", ev->path);
    lua_zk_set_string(L, "change", changes[ev->change]);
}

static void fill_log(lua_State *L, struct event *ev) {
    static const char *const levels[] = {
        [LEVEL_ERROR] = "error",
        [LEVEL_WARNING] = "warning",
        [LEVEL_INFO] = "info",
        [LEVEL_DEBUG] = "debug",
    };

    lua_zk_set_string(L, "level", levels[ev->level]);
    set_data(L, "message", ev);
    if (ev->count > 0)
        lua_zk_set_integer(L, "dropped", (int64_t)ev->count);
}

static void fill_answer(lua_State *L, struct event *ev) {
    lua_zk_set_integer(L, "request", (int64_t)ev->request);
    lua_zk_set_integer(L, "code", ev->code);
    if (ev->code != 0)
        lua_zk_set_string(L, "error", strerror(ev->code));
    set_data(L, "data", ev);
}

static void fill_addresses(lua_State *L, struct event *ev) {
    lua_zk_set_integer(L, "request", (int64_t)ev->request);
    set_data(L, "addresses", ev);
    lua_zk_set_string(L, "missing", ev->missing);
}

static void fill_nothing(lua_State *L, struct event *ev) {
    (void)L;
    (void)ev;
}

static const struct {
    const char *name;
    void (*fill)(lua_State *L, struct event *ev);
} event_types[] = {
    [EVENT_SESSION] = {"session", fill_session},
    [EVENT_REPLY] = {"reply", fill_reply},
    [EVENT_WATCH] = {"watch", fill_watch},
    [EVENT_LOG] = {"log", fill_log},
    [EVENT_ANSWER] = {"answer", fill_answer},
    [EVENT_JOB] = {"job", fill_answer},
    [EVENT_ADDRESSES] = {"addresses", fill_addresses},
    [EVENT_FILES] = {"files", fill_nothing},
    [EVENT_OVERFLOW] = {"overflow", fill_nothing},
};

/***
Takes the next event out of the queue.
@function client:poll
@treturn table the event, see "Events" in README.md
@treturn[2] nil when there is none
*/
int lua_zk_poll(lua_State *L) {
    struct client *c = lua_zk_client(L);
    struct event *ev = pop_event(L, c);

    if (!ev) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 10);
    lua_zk_set_string(L, "type", event_types[ev->type].name);
    lua_zk_set_number(L, "time", (double)ev->time_us / 1e6);
    if (ev->session != 0) {
        lua_getuservalue(L, 1);
        lua_rawgeti(L, -1, ev->session);
        lua_setfield(L, -3, "session");
        lua_pop(L, 1);
    }
    event_types[ev->type].fill(L, ev);
    return 1;
}

static const luaL_Reg event_methods[] = {{"__gc", event_gc}, {NULL, NULL}};

void lua_zk_register_event(lua_State *L) {
    lua_zk_type(L, EVENT_TYPE, event_methods);
}
