/* upgrade.h - another binary takes over this process, with its sessions
 *
 * First the binary that nerve was started as checks the configuration. If it
 * accepts that, this process executes it: the process and the sessions are the
 * same, and no znode changes. A memfd has what the new binary must know.
 *
 * This side never closes a session: that would end it for the new binary too.
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_PROCESS_UPGRADE_H
#define NERVE_PROCESS_UPGRADE_H

#include <stdbool.h>

#include <uv.h>

struct child;
struct children;
struct error;
struct handover;
struct log;
struct rlimit;
struct services;

struct upgrade { /* zeroed, except for the borrowed members at the top */
    uv_loop_t *loop;
    struct log *log;
    struct services *services;
    struct children *children;
    const struct rlimit
        *descriptors;  /* the limit of descriptors that nerve started with */
    char *const *argv; /* the command line that nerve was started with */
    uv_timer_t timer;
    struct child *checking; /* the new binary, or NULL */
    uint64_t give_up_ms;
    bool under_way;
    bool holds_signals;
};

/* Prepares <u>. */
void upgrade_open(struct upgrade *u);

/* Begins an upgrade, unless one is in progress. If it fails, the log says why,
 * and nerve continues as before. */
void upgrade_start(struct upgrade *u);

/* Ends an upgrade that is in progress. */
void upgrade_stop(struct upgrade *u);

/* The same; <u> is freed in a later turn of the loop. */
void upgrade_close(struct upgrade *u);

/* Returns what the previous process handed over, owned by the caller. Returns
 * NULL if there is nothing, or if it cannot be read; then <err> says why.
 * Closes every descriptor except the first three. Call it before anything is
 * opened and any thread is started. */
struct handover *upgrade_receive(struct error *err);

/* Continues the services of another process. Takes them out of <from>; <r> must
 * be empty. The caller then calls services_apply(), which starts their checks.
 * Returns 0, or -1 without memory. */
int upgrade_restore(struct services *r, struct handover *from);

#endif
