/* heartbeat.h - a file that is touched as long as the loop turns
 *
 * So that a supervisor can tell. The file is touched in a thread of libuv's:
 * its disk may hang. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_PROCESS_HEARTBEAT_H
#define NERVE_PROCESS_HEARTBEAT_H

#include <uv.h>

struct heartbeat;
struct log;

/* Returns one that touches its file every <interval_ms>, once it has one;
 * keeps <loop> and <log> borrowed. Owned by the caller, or NULL without
 * memory. */
struct heartbeat *heartbeat_new(uv_loop_t *loop, struct log *log,
                                unsigned int interval_ms);

/* Touches the file <path>, which it takes, at once and from now on, and makes
 * it if need be. NULL: none. */
void heartbeat_use(struct heartbeat *h, char *path);

/* Ends and frees <h>, in a later turn of the loop. NULL is allowed. */
void heartbeat_close(struct heartbeat *h);

#endif
