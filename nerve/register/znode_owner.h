/* znode_owner.h - whose a znode is that was found where ours goes
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
    ZNODE_OWNER_HELD, /* another session's, in our place: wait until it goes */
    ZNODE_OWNER_LEFTOVER /* of no session, but of this instance: remove it */
};

/* Tells whether <name> may be the registration's: it is our node name, with a
 * sequence number if it has to have one. */
bool znode_owner_is_candidate(const struct service_config *service,
                              const char *name);

/* Decides about a znode that <owner> (a session; 0: it is persistent) owns and
 * that holds <data> of <length> bytes; ours is <session>. */
enum znode_owner znode_owner_decide(const struct service_config *service,
                                    int64_t session, int64_t owner,
                                    const char *data, size_t length);

/* Tells whether <name> may be that of a znode which was left behind: our node
 * name, with a sequence number or without. */
bool znode_owner_may_be_orphan(const struct service_config *service,
                               const char *name);

/* Tells whether a znode that <owner> owns and that holds <data> of <length>
 * bytes is of this instance, and of no session that could end. */
bool znode_owner_is_orphan(const struct service_config *service, int64_t owner,
                           const char *data, size_t length);

#endif
