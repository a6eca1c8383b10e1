/* daemon.h - all parts of nerve, wired: runs until a signal ends it
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_DAEMON_H
#define NERVE_DAEMON_H

struct config;
struct log;

/* Runs nerve as <config>, which it takes, says until SIGTERM or SIGINT, then
 * deregisters. At a SIGHUP it reads the file <path> again, with the
 * <instance_id> of the command line (NULL: the file's). Returns 0, or -1 when
 * it cannot start. Does not return, but ends the process with status 0, when
 * what may block at the end takes too long. */
int daemon_run(struct config *config, const char *path, const char *instance_id,
               struct log *log);

#endif
