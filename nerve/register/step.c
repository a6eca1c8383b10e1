/* step.c - sends the request that a step towards the registration takes
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/base/text.h"
#include "csrc/zookeeper/session.h"
#include "nerve/config/read.h"
#include "nerve/register/step.h"

static int64_t create_znode(const struct service_config *service,
                            struct session *session) {
    int mode =
        (config_is_persistent(service) ? CREATE_PERSISTENT : CREATE_EPHEMERAL) |
        (config_is_sequential(service) ? CREATE_SEQUENTIAL : 0) |
        (service->creator_acl ? CREATE_CREATOR : 0);
    struct text path = {0};
    char *joined;
    int64_t request;

    text_printf(&path, "%s/%s", service->zk_path, service->node);
    joined = text_take(&path);
    if (!joined)
        return SESSION_NO_MEMORY;
    request = session_create(session, joined, service->payload,
                             strlen(service->payload), mode);
    free(joined);
    return request;
}

static int64_t make_parent(const struct registration *known,
                           const struct service_config *service,
                           struct session *session) {
    char *path = strndup(service->zk_path, known->parent_length);
    int64_t request;

    if (!path)
        return SESSION_NO_MEMORY;
    request = session_create(session, path, "", 0,
                             service->creator_acl ? CREATE_CREATOR
                                                  : CREATE_PERSISTENT);
    free(path);
    return request;
}

int64_t step_send(enum registration_step step, const struct registration *known,
                  const struct service_config *service,
                  struct session *session) {
    switch (step) {
    case REGISTRATION_SYNC:
        return session_sync(session, service->zk_path);
    case REGISTRATION_LIST:
        return session_get_children(session, service->zk_path, false);
    case REGISTRATION_INSPECT:
        /* One that is in the way is waited for. */
        return session_get(session, known->candidates[0],
                           !config_is_sequential(service));
    case REGISTRATION_MAKE_PARENT:
        return make_parent(known, service, session);
    case REGISTRATION_CREATE:
        return create_znode(service, session);
    case REGISTRATION_CLEAR:
        return session_delete(session, known->leftover,
                              known->leftover_version);
    case REGISTRATION_SET:
        return session_set(session, known->znodes[0].path, service->payload,
                           strlen(service->payload), -1);
    case REGISTRATION_WATCH:
        return session_exists(session, known->znodes[0].path, true);
    case REGISTRATION_DELETE:
        return session_delete(session, known->znodes[known->count - 1].path,
                              -1);
    case REGISTRATION_WAIT:
        break;
    }
    return 0;
}
