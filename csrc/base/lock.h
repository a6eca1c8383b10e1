/* lock.h - a file that tells processes apart which must not write the same
 *
 * Processes that give the same number share the lock: a program and its
 * successor hold it together for a moment, so that no third program gets it in
 * between. The kernel ends it with the process.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_LOCK_H
#define CSRC_BASE_LOCK_H

#include <stdint.h>

/* Opens lock file <name> of <directory>, created if it is missing and given to
 * the directory's owner, not through a symbolic link. Returns a close-on-exec
 * descriptor, or -1 with errno: EINVAL when it is not a regular file, or a
 * hard link to another one. */
int lock_open(int directory, const char *name);

/* Takes the lock of <fd> for <number>. A process that holds it gets it again,
 * and a child holds what its parent does. Returns 0; -1 with errno, EAGAIN
 * when another number holds it. Waits some milliseconds at most. */
int lock_take(int fd, uint64_t number);

/* Tells whether another number than <number> holds the lock. Returns 1 or 0, or
 * -1 with errno. */
int lock_is_taken(int fd, uint64_t number);

/* Gives the lock back, also that of a child or a parent. */
void lock_release(int fd);

#endif
