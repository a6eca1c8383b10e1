/* fake_register.c - ensemble.h and reporter.h that only tell what was asked of
 * them; a test says what has come of a registration
 *
 * Included by a test: the archive's own are then left out by the linker.
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nerve/config/model.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"

/* All that was asked, each with a newline. */
static char story[2000];

static void tell(const char *what, const char *whose) {
    size_t used = strlen(story);

    snprintf(story + used, sizeof(story) - used, "%s %s\n", what, whose);
}

static inline void assert_story(const char *wanted) {
    assert_string_equal(story, wanted);
    story[0] = '\0';
}

struct ensemble {
    char hosts[64];
    int timeout_ms;
    int reporters;
};

struct ensemble *ensemble_new(const struct ensemble_env *env,
                              const char *hosts) {
    struct ensemble *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    snprintf(e->hosts, sizeof(e->hosts), "%s", hosts);
    e->timeout_ms = env->session_timeout_ms;
    tell("open", hosts);
    if (env->auth)
        tell("open with", env->auth);
    return e;
}

struct ensemble *ensemble_resume(const struct ensemble_env *env,
                                 const struct saved_session *session) {
    struct ensemble *e = calloc(1, sizeof(*e));

    snprintf(e->hosts, sizeof(e->hosts), "%s", session->ensemble);
    e->timeout_ms = env->session_timeout_ms;
    tell("resume", session->ensemble);
    return e;
}

static bool no_session;

bool ensemble_save(const struct ensemble *e, struct saved_session *session) {
    *session = (struct saved_session){.ensemble = e->hosts,
                                      .session_timeout_ms = e->timeout_ms,
                                      .hosts = "10.0.0.1:2181",
                                      .identity = {.id = 1}};
    return !no_session;
}

void ensemble_close(struct ensemble *e) {
    if (e)
        tell("close", e->hosts);
    free(e);
}

bool ensemble_serves(const struct ensemble *e, const char *hosts,
                     int session_timeout_ms) {
    return strcmp(e->hosts, hosts) == 0 && e->timeout_ms == session_timeout_ms;
}

/* It may lack memory, as the real one may. */
int ensemble_add(struct ensemble *e, struct reporter *reporter) {
    void *memory = malloc(1);

    (void)reporter;
    e->reporters += memory != NULL;
    free(memory);
    return memory ? 0 : -1;
}

void ensemble_remove(struct ensemble *e, const struct reporter *reporter) {
    (void)reporter;
    e->reporters--;
}

bool ensemble_is_used(const struct ensemble *e) { return e->reporters > 0; }

void ensemble_use_auth(struct ensemble *e, const char *auth) {
    (void)e;
    tell("show", auth);
}

void ensemble_absorb(struct ensemble *e, struct event *ev) {
    (void)ev;
    tell("event for", e->hosts);
}

static bool all_gone;

bool ensemble_is_gone(const struct ensemble *e) {
    (void)e;
    return all_gone;
}

struct reporter {
    const struct service_config *config;
    bool registered, blocked, wanted;
    bool away, unsettled; /* a test says so */
    bool held, told;
    struct reporter_order order; /* while it is held */
    struct registered znode;     /* that it made */
};

struct reporter *reporter_new(const struct service_config *service,
                              struct log *log) {
    struct reporter *r = calloc(1, sizeof(*r));

    (void)log;
    if (r)
        r->config = service;
    return r;
}

void reporter_free(struct reporter *r) { free(r); }

void reporter_want(struct reporter *r, bool registered, int64_t now_ms) {
    (void)now_ms;
    r->wanted = registered;
    tell(registered ? "want" : "drop", r->config->zk_path);
}

void reporter_obey(struct reporter *r, const struct reporter_order *order,
                   int64_t now_ms) {
    (void)now_ms;
    if ((order != NULL) != r->held)
        tell(order ? "hold" : "let go", r->config->name);
    r->held = order != NULL;
    r->order = order ? *order : (struct reporter_order){0};
}

void reporter_update(struct reporter *r, const struct service_config *service,
                     bool same) {
    r->config = service;
    tell(same ? "same data" : "other data", service->name);
}

void reporter_restore(struct reporter *r, struct registration *known,
                      bool told) {
    if (known->count > 0)
        r->znode.path = strdup(known->znodes[0].path);
    r->told = told;
    tell(told ? "go on, told" : "go on", r->config->zk_path);
}

bool reporter_save(const struct reporter *r, struct registration *known) {
    *known = (struct registration){.wanted = r->wanted};
    known->znodes = (struct registered *)&r->znode;
    known->count = r->znode.path ? 1 : 0;
    return r->told;
}

bool reporter_is_registered(const struct reporter *r) { return r->registered; }

bool reporter_is_blocked(const struct reporter *r) { return r->blocked; }

bool reporter_is_wanted(const struct reporter *r) { return r->wanted; }

bool reporter_is_gone(const struct reporter *r) { return !r->registered; }

bool reporter_is_connected(const struct reporter *r) { return !r->away; }

bool reporter_is_settled(const struct reporter *r) { return !r->unsettled; }

const char *reporter_trouble(const struct reporter *r) {
    return r->blocked ? "a znode is in the way" : NULL;
}

const char *ensemble_trouble(const struct ensemble *e) {
    (void)e;
    return "no server answers";
}
