/* control.h - what operators ask for over the control socket
 *
 * Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_CONTROL_H
#define NERVE_OPERATOR_CONTROL_H

#include <uv.h>

struct control;
struct error;
struct holds_file;
struct log;
struct services;

/* What it works on; all borrowed. */
struct control_env {
    uv_loop_t *loop;
    struct log *log;
    struct services *services;
    struct holds_file *store;
};

/* Returns one that does not listen yet, but ends holds when they are over.
 * Owned by the caller, or NULL without memory. */
struct control *control_new(const struct control_env *env);

/* Begins with the holds in the file <holds_path>, or with <handed>, if there is
 * that: holds_encode() wrote it in another process. Then as control_use(). */
int control_begin(struct control *c, const char *socket, const char *holds_path,
                  const char *handed, struct error *err);

/* Listens on <socket> and keeps the holds in the file <holds_path> from now on,
 * and nowhere else; NULL: nowhere. A socket that was removed is made again.
 * Returns 0, or -1 with <err>; then nothing has changed. */
int control_use(struct control *c, const char *socket, const char *holds_path,
                struct error *err);

/* Ends all and frees <c>, in later turns of the loop. NULL is allowed. */
void control_close(struct control *c);

#endif
