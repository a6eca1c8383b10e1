/* daemon.h - all parts of nerve, wired: runs until a signal ends it
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_DAEMON_H
#define NERVE_DAEMON_H

struct config;
struct handover;
struct log;
struct options;

/* Runs nerve as <config>, which it takes, says until SIGTERM or SIGINT, then
 * deregisters. It goes on where the process before was that handed <from> over,
 * which it takes, unless that is NULL. At a SIGHUP it reads the configuration
 * again that <options> name; at a SIGUSR2 it executes their command line in
 * its place. Returns 0, or -1 when it cannot start. Does not return, but ends
 * the process with status 0, when what may block at the end takes too long. */
int daemon_run(struct config *config, const struct options *options,
               struct handover *from, struct log *log);

#endif
