/* znode_owner.h - to whom a znode belongs that is where ours goes
 *
 * Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_ZNODE_OWNER_H
#define NERVE_REGISTER_ZNODE_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service_config;

enum znode_owner {
    ZNODE_OWNER_OTHERS = 0, /* leave it alone; it is not in the way */
    ZNODE_OWNER_OURS,       /* it is the registration */
    ZNODE_OWNER_HELD, /* of another session, in our place: wait until it goes */
    ZNODE_OWNER_LEFTOVER /* of no session, but of this instance: remove it */
};

/* Tells whether <name> may be the registration's: our node name, followed by a
 * sequence number if the znode is sequential. */
bool znode_owner_is_candidate(const struct service_config *service,
                              const char *name);

/* Decides about a znode of the session <owner> (0: persistent) that has <data>
 * of <length> bytes; our session is <session>. */
enum znode_owner znode_owner_decide(const struct service_config *service,
                                    int64_t session, int64_t owner,
                                    const char *data, size_t length);

/* Tells whether <name> may be a leftover's: our node name, with or without a
 * sequence number. */
bool znode_owner_may_be_orphan(const struct service_config *service,
                               const char *name);

/* Tells whether a znode of <owner> with <data> of <length> bytes is of this
 * instance and outlives every session. */
bool znode_owner_is_orphan(const struct service_config *service, int64_t owner,
                           const char *data, size_t length);

#endif
