/* session_request.c - the requests that session.h offers
 *
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#include "csrc/zookeeper/session_parts.h"

static int64_t read_path(struct session *s, enum event_op op, const char *path,
                         bool watch) {
    struct request *r = request_new(op, 0, path, NULL, 0);

    if (r)
        r->watch = watch;
    return session_submit(s, r);
}

int64_t session_get_children(struct session *s, const char *path, bool watch) {
    return read_path(s, OP_GET_CHILDREN, path, watch);
}

int64_t session_get(struct session *s, const char *path, bool watch) {
    return read_path(s, OP_GET, path, watch);
}

int64_t session_exists(struct session *s, const char *path, bool watch) {
    return read_path(s, OP_EXISTS, path, watch);
}

int64_t session_sync(struct session *s, const char *path) {
    return read_path(s, OP_SYNC, path, false);
}

int64_t session_create(struct session *s, const char *path, const char *data,
                       size_t length, int mode) {
    struct request *r = request_new(OP_CREATE, 0, path, data, length);

    if (r)
        r->mode = mode;
    return session_submit(s, r);
}

int64_t session_set(struct session *s, const char *path, const char *data,
                    size_t length, int version) {
    struct request *r = request_new(OP_SET, 0, path, data, length);

    if (r)
        r->version = version;
    return session_submit(s, r);
}

int64_t session_delete(struct session *s, const char *path, int version) {
    struct request *r = request_new(OP_DELETE, 0, path, NULL, 0);

    if (r)
        r->version = version;
    return session_submit(s, r);
}
