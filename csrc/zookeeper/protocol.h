/* protocol.h - codes and constants of ZooKeeper's protocol
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_PROTOCOL_H
#define CSRC_ZOOKEEPER_PROTOCOL_H

#include <stdint.h>

/* ZooKeeper's codes that callers decide by (zookeeper.h: ZOO_ERRORS). */
enum session_code {
    SESSION_OK = 0,
    SESSION_NO_MEMORY = -1, /* ZooKeeper's ZSYSTEMERROR, a server's too */
    SESSION_LOST = -4,      /* connection lost: outcome unknown */
    SESSION_BAD_ARGUMENTS = -8,
    SESSION_INVALID_STATE = -9,
    SESSION_ANSWERS = -100, /* below it are what servers answer */
    SESSION_NO_NODE = -101,
    SESSION_NO_AUTH = -102,
    SESSION_BAD_VERSION = -103,
    SESSION_NODE_EXISTS = -110,
    SESSION_NOT_EMPTY = -111,
    SESSION_SESSION_EXPIRED = -112,
    SESSION_AUTH_REFUSED = -115,
    SESSION_WANTS_AUTH = -124, /* and the server ends the connection */
    SESSION_QUOTA_EXCEEDED = -125,
    SESSION_THROTTLED = -127
};

enum create_mode { /* may be or-ed */
                   CREATE_PERSISTENT = 0,
                   CREATE_EPHEMERAL = 1,
                   CREATE_SEQUENTIAL = 2,
                   /* Holders of the same credentials may do all with the
                    * znode, others read it; without this it is open to all. */
                   CREATE_CREATOR = 4,
                   /* The path is the server's own, not one below the chroot:
                    * the chroot itself can be made. */
                   CREATE_ABSOLUTE = 8
};

/* What resumes a session elsewhere: in another handle, or another process. */
struct session_identity {
    int64_t id;
    char password[16];
};

#endif
