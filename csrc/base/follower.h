/* follower.h - tell when files of a directory have been written
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_FOLLOWER_H
#define CSRC_BASE_FOLLOWER_H

struct follower;
struct queue;

/* Returns a follower of nothing, without a thread yet, owned by the caller, or
 * NULL without memory. */
struct follower *follower_new(void);

/* Follows the files of <directory> whose names end with <ending>: those that
 * are renamed to such a name, or closed by who wrote them. The directory is
 * found now, so a later chroot or fork does not matter. Other machines' writes
 * to a network file system are not seen. Returns 0, or -1 with errno: EMFILE
 * when the user has no inotify instance left. Loop thread, before
 * follower_start(). */
int follower_add(struct follower *f, const char *directory, const char *ending);

/* Starts the thread that pushes an EVENT_FILES to <q>, which it keeps borrowed,
 * when such files have changed and then none has for a moment. In the process
 * that reads <q>, once. Returns 0, or -1 with errno. Loop thread. */
int follower_start(struct follower *f, struct queue *q);

/* Ends the thread and frees <f>. NULL is allowed. */
void follower_free(struct follower *f);

#endif
