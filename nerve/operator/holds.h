/* holds.h - the holds, and the file that keeps them over a restart
 *
 * Loop thread only; the file is written on a worker.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_HOLDS_H
#define NERVE_OPERATOR_HOLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "nerve/services/hold.h"

struct error;
struct event;
struct queue;
struct worker;

/* How far a change is on its way into the file. */
enum hold_kept { HOLD_BEING_KEPT = 0, HOLD_KEPT, HOLD_NOT_KEPT };

struct holds_file { /* zeroed, except what is borrowed, which comes first */
    struct queue *queue;
    struct worker *worker;
    struct holds holds;
    char *path;       /* owned; of the file, or NULL */
    uint32_t written; /* the number of the last write */
    uint32_t ended;   /* of the last one that has ended */
    int error;        /* errno of it, or 0 */
};

/* Gets <s> ready: it finds out which boot of the system this is. */
void holds_file_begin(struct holds_file *s);

/* Keeps the holds in the file <path> from now on, and in no other; NULL: in
 * none. Returns 0, or -1 with <err>; then nothing has changed. */
int holds_file_use(struct holds_file *s, const char *path, struct error *err);

/* Reads the file; one that is not there has no holds. Returns 0, or -1 with
 * <err>; then there are none. */
int holds_file_read(struct holds_file *s, struct error *err);

/* Begins to write the file. Returns the number of this write, for
 * holds_file_kept(). */
uint32_t holds_file_write(struct holds_file *s);

/* Takes note of <ev>, the end of a write. */
void holds_file_absorb(struct holds_file *s, const struct event *ev);

/* Tells how far the write <number> is. <error> is errno if it failed. */
enum hold_kept holds_file_kept(const struct holds_file *s, uint32_t number,
                               int *error);

/* Frees what <s> owns. */
void holds_file_close(struct holds_file *s);

#endif
