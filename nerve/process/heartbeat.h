/* heartbeat.h - a file that is touched as long as the loop turns
 *
 * It shows a supervisor that nerve is alive. A thread of libuv touches the
 * file, because its disk may hang. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_PROCESS_HEARTBEAT_H
#define NERVE_PROCESS_HEARTBEAT_H

#include <uv.h>

struct heartbeat;
struct log;

/* Returns a heartbeat that touches its file every <interval_ms>, once it has
 * one. Keeps <loop> and <log> borrowed. Owned by the caller, or NULL without
 * memory. */
struct heartbeat *heartbeat_new(uv_loop_t *loop, struct log *log,
                                unsigned int interval_ms);

/* Touches the file <path>, which it takes, now and from now on, and makes the
 * file if it does not exist. NULL: no file. */
void heartbeat_use(struct heartbeat *h, char *path);

/* Ends and frees <h>, in a later turn of the loop. NULL is allowed. */
void heartbeat_close(struct heartbeat *h);

#endif
