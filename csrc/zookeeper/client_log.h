/* client_log.h - the client library's log lines, as events
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_CLIENT_LOG_H
#define CSRC_ZOOKEEPER_CLIENT_LOG_H

#include <stdio.h>

struct queue;

/* Sends lines to <queue>, kept borrowed until the next call, from now on; NULL
 * drops them. Waits while another thread pushes one. */
void log_lines_to(struct queue *queue);

/* Drops lines from now on if they went to <queue>, which may then be freed. */
void log_lines_stop(struct queue *queue);

/* Takes one line of the library: the log callback of every handle. Lines above
 * the rate are counted, and the next line that passes says how many there were.
 * Any thread. */
void log_lines_take(const char *line);

/* Returns how often handles with <servers>, as they were opened with, have
 * tried all of them in vain, in this process. Other servers may share the
 * count. Any thread. */
unsigned int log_lines_rounds(const char *servers);

/* A server has said why it ends connections: no other cause is guessed for the
 * next ones. Any thread. */
void log_lines_explain(void);

/* Returns a stream that keeps nothing, for what the library would write to
 * stderr without a callback; static, or NULL without memory. Loop thread. */
FILE *log_lines_nowhere(void);

#endif
