/* znode_owner.c - to whom a znode belongs that is where ours goes
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nerve/config/model.h"
#include "nerve/config/payload.h"
#include "nerve/register/znode_owner.h"

#define SEQUENCE_DIGITS 10

static bool is_numbered(const struct service_config *service,
                        const char *name) {
    size_t head = strlen(service->node);

    return strncmp(name, service->node, head) == 0 &&
           strlen(name + head) >= SEQUENCE_DIGITS &&
           name[head + strspn(name + head, "-0123456789")] == '\0';
}

bool znode_owner_is_candidate(const struct service_config *service,
                              const char *name) {
    return config_is_sequential(service) ? is_numbered(service, name)
                                         : strcmp(name, service->node) == 0;
}

bool znode_owner_may_be_orphan(const struct service_config *service,
                               const char *name) {
    return is_numbered(service, name) || strcmp(name, service->node) == 0;
}

bool znode_owner_is_orphan(const struct service_config *service, int64_t owner,
                           const char *data, size_t length) {
    return owner == 0 && payload_is_of(data, length, service->identity);
}

/* A sequential znode is never in the way: if it is not ours, leave it alone. */
static enum znode_owner decide_sequential(bool ours, bool names_us) {
    return ours && names_us ? ZNODE_OWNER_OURS : ZNODE_OWNER_OTHERS;
}

enum znode_owner znode_owner_decide(const struct service_config *service,
                                    int64_t session, int64_t owner,
                                    const char *data, size_t length) {
    bool names_us = payload_is_of(data, length, service->identity);

    switch (service->node_type) {
    case NODE_EPHEMERAL_SEQUENTIAL:
        return decide_sequential(owner == session, names_us);
    case NODE_PERSISTENT_SEQUENTIAL:
        return decide_sequential(owner == 0, names_us);
    case NODE_PERSISTENT:
        /* Its name is ours alone, and it has outlived its session. */
        return owner == 0 ? ZNODE_OWNER_OURS : ZNODE_OWNER_HELD;
    case NODE_EPHEMERAL:
        if (owner == session)
            return ZNODE_OWNER_OURS;
        return owner == 0 && names_us ? ZNODE_OWNER_LEFTOVER : ZNODE_OWNER_HELD;
    }
    return ZNODE_OWNER_HELD;
}
