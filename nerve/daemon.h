/* daemon.h - connects all parts of nerve, and runs until a signal ends it
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_DAEMON_H
#define NERVE_DAEMON_H

struct config;
struct handover;
struct log;
struct options;

/* Runs nerve with <config>, which it takes, until SIGTERM or SIGINT, and then
 * deregisters. Continues for the previous process if <from>, which it takes, is
 * not NULL. SIGHUP reads the configuration of <options> again; SIGUSR2 executes
 * their command line in place of this process. Returns 0, or -1 if it cannot
 * start. If something hangs at the end, it does not return: it ends the process
 * with status 0. */
int daemon_run(struct config *config, const struct options *options,
               struct handover *from, struct log *log);

#endif
