/* client_log.h - the client library's log lines, as events
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_CLIENT_LOG_H
#define CSRC_ZOOKEEPER_CLIENT_LOG_H

struct queue;

/* Sends lines to <queue>, kept borrowed until the next call, from now on; NULL
 * drops them. Waits while another thread pushes one. */
void log_lines_to(struct queue *queue);

/* Drops lines from now on if they went to <queue>, which may then be freed. */
void log_lines_stop(struct queue *queue);

/* Takes one line of the library: the log callback of every handle. Lines
 * above the rate are counted, and the next one that passes tells of them. Any
 * thread. */
void log_lines_take(const char *line);

/* Keeps what the library would write without a callback away from stderr, and
 * asks it for warnings and errors only. Loop thread. */
void log_lines_prepare(void);

#endif
