/* plan.c - what is known of a service's znodes, and the next step
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/hash.h"
#include "nerve/register/plan.h"

bool ttl_is_due(struct ttl *t, unsigned int every_ms, const char *text,
                int64_t now_ms) {
    if (!t->due_ms)
        t->due_ms = now_ms + 1 + hash_text(text) % every_ms;
    if (now_ms < t->due_ms)
        return false;
    t->due_ms = now_ms + every_ms;
    return true;
}

#define BACKOFF_MIN_MS     1000
#define BACKOFF_MAX_MS     30000
#define DELETION_MIN_MS    2000 /* longer than a step normally takes */
#define DELETION_WINDOW_MS 60000
#define DELETIONS_ALLOWED  3

/* By then a service that is being replaced has removed its znode itself. */
#define SEARCH_AFTER_MS 2000

/* The steps that find the znodes that a lost answer left behind. */
static enum registration_step next_to_settle(const struct registration *r) {
    if (!r->synced)
        return REGISTRATION_SYNC;
    if (!r->listed)
        return REGISTRATION_LIST;
    return REGISTRATION_INSPECT;
}

enum registration_step registration_next(const struct registration *r,
                                         int64_t now_ms) {
    size_t wanted = r->wanted ? 1 : 0;
    bool replaced = wanted && r->count && r->znodes[0].misnamed;

    if (!r->connected || r->in_flight || now_ms < r->not_before_ms)
        return REGISTRATION_WAIT;
    if (r->leftover)
        return REGISTRATION_CLEAR;
    if (r->unsettled)
        return next_to_settle(r);
    if (r->count > wanted && !replaced)
        return REGISTRATION_DELETE;
    if (r->count < wanted || replaced)
        return r->parent_length ? REGISTRATION_MAKE_PARENT
                                : REGISTRATION_CREATE;
    if (r->count == 0)
        return REGISTRATION_WAIT;
    if (!r->znodes[0].current)
        return REGISTRATION_SET;
    if (!r->znodes[0].watched)
        return REGISTRATION_WATCH;
    return r->search_at_ms && now_ms >= r->search_at_ms ? REGISTRATION_LIST
                                                        : REGISTRATION_WAIT;
}

int registration_add(struct registration *r, char *path, bool current) {
    struct registered *znodes =
        path ? realloc(r->znodes, (r->count + 1) * sizeof(*znodes)) : NULL;
    size_t at = 0;

    if (!znodes) {
        free(path);
        return -1;
    }
    r->znodes = znodes;
    while (at < r->count && !znodes[at].misnamed)
        at++;
    memmove(znodes + at + 1, znodes + at, (r->count - at) * sizeof(*znodes));
    znodes[at] = (struct registered){.path = path, .current = current};
    r->count++;
    return 0;
}

static struct registered *find(const struct registration *r, const char *path) {
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->znodes[i].path, path) == 0)
            return &r->znodes[i];
    return NULL;
}

bool registration_remove(struct registration *r, const char *path) {
    struct registered *znode = find(r, path);
    size_t after;

    if (!znode)
        return false;
    after = (size_t)(r->znodes + r->count - znode) - 1;
    free(znode->path);
    memmove(znode, znode + 1, after * sizeof(*znode));
    r->count--;
    return true;
}

int registration_add_candidate(struct registration *r, char *path) {
    char **list;

    if (path && find(r, path)) {
        free(path);
        return 0;
    }
    list =
        path ? realloc(r->candidates, (r->candidate_count + 1) * sizeof(*list))
             : NULL;
    if (!list) {
        free(path);
        return -1;
    }
    r->candidates = list;
    list[r->candidate_count++] = path;
    return 0;
}

int registration_occupied(struct registration *r, char *path) {
    if (registration_add_candidate(r, path) != 0)
        return -1;
    r->searching = false;
    r->unsettled = r->synced = r->listed = r->candidate_count > 0;
    return 0;
}

void registration_clear(struct registration *r, char *path, int32_t version) {
    free(r->leftover);
    r->leftover = path;
    r->leftover_version = version;
}

void registration_cleared(struct registration *r) {
    free(r->leftover);
    r->leftover = NULL;
}

void registration_listed(struct registration *r) {
    r->listed = true;
    r->unsettled = r->candidate_count > 0;
}

void registration_plan_search(struct registration *r, int64_t now_ms) {
    if (!r->search_at_ms)
        r->search_at_ms = now_ms + SEARCH_AFTER_MS;
}

void registration_search(struct registration *r) {
    r->search_at_ms = INT64_MAX;
    r->searching = r->synced = true;
    registration_listed(r);
}

char *registration_take_candidate(struct registration *r) {
    char *path;

    assert(r->candidate_count > 0);
    path = r->candidates[0];
    r->candidate_count--;
    memmove(r->candidates, r->candidates + 1,
            r->candidate_count * sizeof(*r->candidates));
    r->unsettled = r->candidate_count > 0;
    return path;
}

static void drop_candidates(struct registration *r) {
    while (r->candidate_count)
        free(r->candidates[--r->candidate_count]);
}

void registration_unsettle(struct registration *r) {
    drop_candidates(r);
    r->searching = false;
    r->unsettled = true;
    r->synced = false;
    r->listed = false;
}

void registration_outdate(struct registration *r) {
    for (size_t i = 0; i < r->count; i++)
        r->znodes[i].current = false;
}

void registration_rename(struct registration *r) {
    for (size_t i = 0; i < r->count; i++)
        r->znodes[i].misnamed = true;
}

void registration_lose_session(struct registration *r) {
    while (r->count)
        free(r->znodes[--r->count].path);
    drop_candidates(r);
    registration_cleared(r);
    r->searching = false;
    r->search_at_ms = 0;
    r->unsettled = false;
    r->parent_length = 0;
}

void registration_lose_watches(struct registration *r) {
    for (size_t i = 0; i < r->count; i++)
        r->znodes[i].watched = false;
}

void registration_parent_made(struct registration *r, const char *path) {
    size_t length = r->parent_length;

    r->parent_length = 0;
    if (path[length] == '/')
        r->parent_length = length + 1 + strcspn(path + length + 1, "/");
}

int registration_parent_missing(struct registration *r, const char *path) {
    size_t length = r->parent_length;

    if (length == 0) {
        r->parent_length = strlen(path);
        return 0;
    }
    while (length > 0 && path[--length] != '/')
        ;
    r->parent_length = length;
    return length ? 0 : -1;
}

int64_t registration_failed(struct registration *r, int64_t now_ms) {
    int64_t doubled = r->backoff_ms * 2;

    if (!r->backoff_ms)
        r->backoff_ms = BACKOFF_MIN_MS;
    else
        r->backoff_ms = doubled < BACKOFF_MAX_MS ? doubled : BACKOFF_MAX_MS;
    r->not_before_ms = now_ms + r->backoff_ms;
    return r->backoff_ms;
}

void registration_succeeded(struct registration *r) { r->backoff_ms = 0; }

/* Tells whether this deletion is one too many: the fourth within a minute, or,
 * after such a fourth, any within a minute of the last one. */
static bool is_deleted_too_often(const struct registration *r, int64_t now_ms) {
    const int64_t *times = r->deletions_ms;

    if (r->deletion_backoff_ms)
        return now_ms - times[0] < DELETION_WINDOW_MS + r->deletion_backoff_ms;
    return r->deletions == DELETIONS_ALLOWED &&
           now_ms - times[DELETIONS_ALLOWED - 1] < DELETION_WINDOW_MS;
}

int64_t registration_deleted(struct registration *r, int64_t now_ms) {
    int64_t *times = r->deletions_ms;
    int64_t doubled = r->deletion_backoff_ms * 2;

    if (!is_deleted_too_often(r, now_ms))
        r->deletion_backoff_ms = 0;
    else if (!r->deletion_backoff_ms)
        r->deletion_backoff_ms = DELETION_MIN_MS;
    else
        r->deletion_backoff_ms =
            doubled < BACKOFF_MAX_MS ? doubled : BACKOFF_MAX_MS;
    memmove(times + 1, times, (DELETIONS_ALLOWED - 1) * sizeof(*times));
    times[0] = now_ms;
    if (r->deletions < DELETIONS_ALLOWED)
        r->deletions++;
    if (r->deletion_backoff_ms)
        r->not_before_ms = now_ms + r->deletion_backoff_ms;
    return r->deletion_backoff_ms;
}

void registration_close(struct registration *r) {
    registration_lose_session(r);
    free(r->candidates);
    free(r->znodes);
}
