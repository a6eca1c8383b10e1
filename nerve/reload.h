/* reload.h - reads the configuration anew, without holding up the loop
 *
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_RELOAD_H
#define NERVE_RELOAD_H

#include <stdbool.h>

#include <uv.h>

#include "csrc/base/error.h"

struct config;

/* Called with the configuration, which it owns then, or with NULL and what is
 * wrong. */
typedef void reload_done_fn(void *arg, struct config *config,
                            const char *problem);

struct reload { /* zeroed but for what is borrowed, which comes first */
    uv_loop_t *loop;
    const char *path;
    const char *instance_id; /* or NULL: the file's */
    reload_done_fn *done;
    void *arg;
    uv_work_t work;
    struct config *config; /* owned */
    struct error err;
    bool reading;
    bool again; /* asked for while it was being read */
    bool closed;
};

/* Reads the configuration and calls <done>. Asked for once more meanwhile, it
 * is read once more. */
void reload_start(struct reload *r);

/* <done> is not called any more. The loop may not end before what is being
 * read is read. */
void reload_close(struct reload *r);

#endif
