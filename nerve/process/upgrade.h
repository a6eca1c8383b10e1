/* upgrade.h - another binary takes this process over, sessions and all
 *
 * The binary that nerve was started as is run to check the configuration.
 * When it accepts that, the process executes it: same process, same sessions,
 * no znode changes. What it must know goes with it in a memfd.
 *
 * This side never closes a session: that would end it for both.
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

struct upgrade { /* zeroed but for what is borrowed, which comes first */
    uv_loop_t *loop;
    struct log *log;
    struct services *services;
    struct children *children;
    const struct rlimit *descriptors; /* the limit that nerve started with */
    char *const *argv; /* the command line that nerve was started with */
    uv_timer_t timer;
    struct child *checking; /* the new binary, or NULL */
    uint64_t give_up_ms;
    bool under_way;
    bool holds_signals;
};

/* Gets <u> ready. */
void upgrade_open(struct upgrade *u);

/* Begins an upgrade, unless one is under way. Where it fails, the log says why
 * and all goes on as before. */
void upgrade_start(struct upgrade *u);

/* Ends an upgrade under way. */
void upgrade_stop(struct upgrade *u);

/* The same; <u> is gone in a later turn of the loop. */
void upgrade_close(struct upgrade *u);

/* Returns what the process before handed over to this one, owned by the
 * caller. NULL: nothing, or nothing that can be read; then <err> says so.
 * Closes every descriptor but the first three. To be called before anything is
 * opened and any thread is started. */
struct handover *upgrade_receive(struct error *err);

/* Goes on with the services of another process, out of <from>, which loses what
 * is in it; <r> is empty. The services_apply() that must follow begins their
 * checks. Returns 0, or -1 without memory. */
int upgrade_restore(struct services *r, struct handover *from);

#endif
