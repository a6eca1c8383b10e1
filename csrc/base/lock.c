/* lock.c - a file that tells processes apart which must not write the same
 *
 * Each number stands for one byte offset of the file, far beyond its end. A
 * holder of the lock has a read lock on its byte, which other holders of the
 * same number share. To take the lock a process locks the first byte, the gate,
 * and then looks whether any other byte is locked. Locks of the open file and
 * not of the process (F_OFD_SETLK) survive a fork.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "csrc/base/lock.h"

/* What offsets have, without the gate. */
#define NUMBERS (INT64_MAX - 1)

/* Milliseconds to wait at the gate, which is held for two system calls at most.
 */
#define PATIENCE 10

int lock_open(int directory, const char *name) {
    int fd =
        openat(directory, name,
               O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat file, place;

    if (fd == -1)
        return -1;
    if (fstat(fd, &file) == -1 || !S_ISREG(file.st_mode) ||
        file.st_nlink != 1) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    /* Lets everybody with the right to write there open it again. Nothing
     * depends on it. */
    if (file.st_uid == geteuid() && fstat(directory, &place) == 0 &&
        place.st_uid != file.st_uid &&
        fchown(fd, place.st_uid, place.st_gid) == -1)
        errno = 0;
    return fd;
}

static off_t byte_of(uint64_t number) { return 1 + (off_t)(number % NUMBERS); }

static int set(int fd, short type, off_t start, off_t length) {
    struct flock range = {.l_type = type,
                          .l_whence = SEEK_SET,
                          .l_start = start,
                          .l_len = length};

    return fcntl(fd, F_OFD_SETLK, &range);
}

/* Tells whether another open file has a lock from <start> on; <length> 0: to
 * the end. */
static int is_locked(int fd, off_t start, off_t length) {
    struct flock range = {.l_type = F_WRLCK,
                          .l_whence = SEEK_SET,
                          .l_start = start,
                          .l_len = length};

    if (fcntl(fd, F_OFD_GETLK, &range) == -1)
        return -1;
    return range.l_type != F_UNLCK;
}

int lock_is_taken(int fd, uint64_t number) {
    off_t own = byte_of(number);
    int before = own > 1 ? is_locked(fd, 1, own - 1) : 0;

    return before != 0 ? before : is_locked(fd, own + 1, 0);
}

static int enter_gate(int fd) {
    struct timespec moment = {.tv_nsec = 1000000};

    for (int tries = 0; set(fd, F_WRLCK, 0, 1) == -1; tries++) {
        if (errno != EAGAIN || tries == PATIENCE)
            return -1;
        nanosleep(&moment, NULL);
    }
    return 0;
}

int lock_take(int fd, uint64_t number) {
    int reason = 0, taken;

    if (enter_gate(fd) == -1)
        return -1;
    taken = lock_is_taken(fd, number);
    if (taken == 1)
        reason = EAGAIN;
    else if (taken == -1 || set(fd, F_RDLCK, byte_of(number), 1) == -1)
        reason = errno;
    set(fd, F_UNLCK, 0, 1);
    errno = reason;
    return reason ? -1 : 0;
}

void lock_release(int fd) { set(fd, F_UNLCK, 0, 0); }
