/* handle.h - one handle of the client library
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_HANDLE_H
#define CSRC_ZOOKEEPER_HANDLE_H

#include "csrc/zookeeper/protocol.h"
#include "csrc/zookeeper/request.h"

struct handle;
struct queue;
struct worker;

struct handle_options {
    struct queue *queue;   /* borrowed until the handle is closed */
    struct worker *worker; /* borrowed; started, so that it can close it */
    uint32_t session;      /* written into each event, as is: */
    uint32_t generation;   /* above 0 */
    const char *hosts;     /* numeric, IPv6 without brackets; "/chroot" last */
    int timeout_ms;
    size_t max_data;
    const struct session_identity *resume; /* NULL: a new session */
};

/* Opens a handle: two threads of the library start. Returns it owned by the
 * caller, or NULL with errno; EAGAIN says that threads cannot be made. Loop
 * thread. */
struct handle *handle_open(const struct handle_options *options);

/* Sends <r>. Takes <r> and returns 0, or leaves it with the caller and
 * returns ZooKeeper's code. Loop thread. */
int handle_send(struct handle *h, struct request *r);

/* Forgets <r>, whose reply was popped, and frees it. Loop thread. */
void handle_finish(struct handle *h, struct request *r);

/* Returns how many requests are in flight. Loop thread. */
size_t handle_in_flight(const struct handle *h);

/* Returns the requests in flight, borrowed until the next call. */
struct request *handle_requests(struct handle *h);

/* Reads the identity of a connected handle's session. Loop thread. */
struct session_identity handle_identity(const struct handle *h);

/* Returns the negotiated session timeout in milliseconds. */
int handle_timeout(const struct handle *h);

/* Returns how often <h> has tried all its servers in vain, at most: handles
 * with the same servers count together. Loop thread. */
unsigned int handle_rounds(const struct handle *h);

/* Makes sure that closing <h> cannot end the session it stands for, so that
 * another handle can resume it. Returns false, and leaves <h> as it was, when
 * it is connected just now. Loop thread. */
bool handle_abandon(struct handle *h);

/* Closes <h> on <w>, which frees it with the requests it still owns; a
 * connected handle's session ends. Takes <h>. Loop thread. */
void handle_close(struct handle *h, struct worker *w);

/* Returns words for <code>, static, or until the next call by this thread. Any
 * thread. */
const char *handle_strerror(int code);

#endif
