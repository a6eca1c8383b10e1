/* file.h - small files in a directory that was opened before a chroot
 * SPDX-License-Identifier: MIT
 */
#ifndef MYELIN_FILE_H
#define MYELIN_FILE_H

#include <stddef.h>
#include <stdint.h>

struct queue;
struct worker;

/* Opens directory <path>. Returns a close-on-exec descriptor, or -1 with
 * errno. */
int file_open_directory(const char *path);

/* Reads the regular file <name> of <directory>, not through a symbolic link
 * and of at most <max> bytes. Returns its bytes with a NUL after <length> of
 * them, owned by the caller (free()), or NULL with errno: EFBIG when it is
 * larger, EINVAL when it is not a regular file. */
char *file_read(int directory, const char *name, size_t max, size_t *length);

/* Replaces file <name> of <directory> by <data> on <worker>: a new temporary
 * file of mode 0600, written, fsynced, renamed; the old file stays when any
 * step fails. An EVENT_JOB with <request> tells the end, errno as <code>.
 * Copies all it is given but <queue>, kept borrowed until then. Returns 0, or
 * -1 with errno and no event. Loop thread. */
int file_write(struct worker *worker, struct queue *queue, int directory,
               const char *name, const char *data, size_t length,
               uint32_t request);

#endif
