/* fake_session.c - session.h that sends nothing and remembers the last request
 *
 * Included by a test: the archive's session is then left out by the linker.
 * The test looks at the request and makes up what ZooKeeper answers.
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "csrc/zookeeper/session.h"

#define FAKE_CLIENT_ID 0x1234

/* The last request, as "create /path data", and how many there were. */
static char fake_request[512];
static int64_t fake_request_number;
static int fake_unseen; /* sent since the test looked last */

/* What requests return instead of a number, unless 0. */
static int64_t fake_refusal;

static int64_t fake_ask(const char *verb, const char *path, const char *rest) {
    if (fake_refusal)
        return fake_refusal;
    snprintf(fake_request, sizeof(fake_request), "%s %s%s%s", verb, path,
             *rest ? " " : "", rest);
    fake_unseen++;
    return ++fake_request_number;
}

int64_t session_get_children(struct session *s, const char *path, bool watch) {
    (void)s;
    return fake_ask("children", path, watch ? "watch" : "");
}

int64_t session_get(struct session *s, const char *path, bool watch) {
    (void)s;
    return fake_ask("get", path, watch ? "watch" : "");
}

int64_t session_exists(struct session *s, const char *path, bool watch) {
    (void)s;
    return fake_ask("exists", path, watch ? "watch" : "");
}

int64_t session_create(struct session *s, const char *path, const char *data,
                       size_t length, int mode) {
    static const char *const verbs[] = {"create",    "create-e",  "create-s",
                                        "create-es", "create-c",  "create-ec",
                                        "create-sc", "create-esc"};

    (void)s;
    return fake_ask(verbs[mode & ~CREATE_ABSOLUTE], path,
                    strlen(data) == length ? data : "?");
}

int64_t session_set(struct session *s, const char *path, const char *data,
                    size_t length, int version) {
    (void)s;
    return fake_ask("set", path,
                    strlen(data) == length && version == -1 ? data : "?");
}

int64_t session_delete(struct session *s, const char *path, int version) {
    (void)s;
    return fake_ask("delete", path, version == -1 ? "" : "?");
}

int64_t session_sync(struct session *s, const char *path) {
    (void)s;
    return fake_ask("sync", path, "");
}

int64_t session_client_id(const struct session *s) {
    (void)s;
    return FAKE_CLIENT_ID;
}

static const char *fake_chroot = "";

const char *session_chroot(const struct session *s) {
    (void)s;
    return fake_chroot;
}

const char *session_strerror(int code) {
    return code == SESSION_NO_AUTH ? "not authenticated" : "some error";
}

/* Forgets the requests so far. */
static void fake_forget(void) { fake_unseen = 0; }

/* Tells whether one request was sent since the last look, and which. */
static inline bool fake_sent(const char *request) {
    bool same = fake_unseen == 1 && strcmp(fake_request, request) == 0;

    if (!same)
        fprintf(stderr, "%d requests, the last: %s\n", fake_unseen,
                fake_request);
    fake_unseen = 0;
    return same;
}

/* Tells whether no request was sent since the last look. */
static bool fake_sent_nothing(void) { return fake_unseen == 0; }
