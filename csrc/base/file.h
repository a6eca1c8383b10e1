/* file.h - small files in a directory that was opened before a chroot
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_FILE_H
#define CSRC_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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

/* The same, but it follows symbolic links. Use it only for files that no other
 * user can write. */
char *file_read_linked(int directory, const char *name, size_t max,
                       size_t *length);

/* Stores in <stamp> a number that changes with the file <name> of <directory>,
 * symbolic links followed: with its device, inode, size, and the times of its
 * last changes. <name> may also be an absolute path. Returns 0, or -1 with
 * errno. */
int file_stamp(int directory, const char *name, uint64_t *stamp);

/* Returns the kind of file system that <name> of <directory> is on, if a server
 * or another program is behind it, which may not answer; symbolic links are
 * followed. <name> may also be an absolute path. NULL: it is on none of those,
 * or cannot be opened. May wait for that server itself. */
const char *file_remote(int directory, const char *name);

/* Lists the directory <name> of <directory>, in no order. Returns the names, a
 * NUL behind each, <length> bytes in all, owned by the caller (free()); or NULL
 * with errno. */
char *file_list(int directory, const char *name, size_t *length);

/* Replaces file <name> of <directory> by <data> on <worker>: a new temporary
 * file of mode <mode>, written, fsynced, renamed; the old file stays when any
 * step fails. Temporary files of <name> that a crash left a minute ago or
 * longer are removed. An EVENT_JOB with <request> reports the end, with errno
 * as <code>. Copies its arguments, except <queue>, which it keeps borrowed
 * until then. Returns 0, or -1 with errno and no event. Loop thread. */
int file_write(struct worker *worker, struct queue *queue, int directory,
               const char *name, const char *data, size_t length, mode_t mode,
               uint32_t request);

/* Removes file <name> of <directory> on <worker>, in the order of all that it
 * is given. Everything else is as with file_write(). */
int file_remove(struct worker *worker, struct queue *queue, int directory,
                const char *name, uint32_t request);

/* Returns when file <name> of <directory> was changed last, in seconds since
 * 1970, or -1 with errno. */
int64_t file_changed(int directory, const char *name);

#endif
