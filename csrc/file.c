/* file.c - small files in a directory that was opened before a chroot
 *
 * Root may read here, at load, what an unprivileged user can write: hence no
 * symbolic links, regular files only, a bound.
 *
 *   loop thread    all of file.h
 *   worker thread  write_job()
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csrc/clock.h"
#include "csrc/event.h"
#include "csrc/file.h"
#include "csrc/queue.h"
#include "csrc/worker.h"

struct writing {
    struct queue *queue; /* borrowed */
    struct event *ended; /* owned until it is pushed */
    int directory;       /* a duplicate, owned */
    char *name;          /* owned */
    char *temporary;     /* owned */
    char *data;          /* owned */
    size_t length;
};

int file_open_directory(const char *path) {
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Reads <size> bytes, or fewer where the file ends before. */
static char *read_bytes(int fd, size_t size, size_t *length) {
    char *data = malloc(size + 1);
    ssize_t got = 1;

    *length = 0;
    while (data && got > 0 && *length < size) {
        got = read(fd, data + *length, size - *length);
        if (got > 0)
            *length += (size_t)got;
    }
    if (data && got == -1) {
        free(data);
        return NULL;
    }
    if (data)
        data[*length] = '\0';
    return data;
}

char *file_read(int directory, const char *name, size_t max, size_t *length) {
    int fd =
        openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    char *data = NULL;
    int reason = 0;

    if (fd == -1)
        return NULL;
    if (fstat(fd, &status) == -1)
        reason = errno;
    else if (!S_ISREG(status.st_mode))
        reason = EINVAL;
    else if ((uintmax_t)status.st_size > max)
        reason = EFBIG;
    else if (!(data = read_bytes(fd, (size_t)status.st_size, length)))
        reason = errno;
    close(fd);
    errno = reason;
    return data;
}

static void writing_free(void *data) {
    struct writing *w = data;

    if (w->directory != -1)
        close(w->directory);
    event_free(w->ended);
    free(w->name);
    free(w->temporary);
    free(w->data);
    free(w);
}

static int write_bytes(int fd, const char *data, size_t length) {
    while (length > 0) {
        ssize_t put = write(fd, data, length);

        if (put == -1)
            return errno;
        data += put;
        length -= (size_t)put;
    }
    return fsync(fd) == -1 ? errno : 0;
}

static int replace(const struct writing *w) {
    int fd = openat(w->directory, w->temporary,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int reason;

    if (fd == -1)
        return errno;
    reason = write_bytes(fd, w->data, w->length);
    if (close(fd) == -1 && reason == 0)
        reason = errno;
    if (reason == 0 &&
        renameat(w->directory, w->temporary, w->directory, w->name) == -1)
        reason = errno;
    if (reason == 0)
        return fsync(w->directory) == -1 ? errno : 0;
    unlinkat(w->directory, w->temporary, 0);
    return reason;
}

static void write_job(void *data) {
    struct writing *w = data;

    w->ended->code = replace(w);
    queue_push(w->queue, w->ended);
    w->ended = NULL;
    writing_free(w);
}

/* Process ids repeat: in containers, after each start. */
static char *temporary_name(const char *name) {
    uint64_t random;
    char *text;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = (uint64_t)clock_us();
    if (asprintf(&text, ".%s.%016llx", name, (unsigned long long)random) == -1)
        return NULL;
    return text;
}

static int fill(struct writing *w, const char *name, const char *data,
                size_t length, uint32_t request) {
    w->name = strdup(name);
    w->data = malloc(length + 1);
    w->ended = event_new(EVENT_JOB);
    w->temporary = temporary_name(name);
    if (!w->name || !w->data || !w->ended || !w->temporary)
        return -1;
    memcpy(w->data, data, length);
    w->length = length;
    w->ended->request = request;
    return 0;
}

int file_write(struct worker *worker, struct queue *queue, int directory,
               const char *name, const char *data, size_t length,
               uint32_t request) {
    struct writing *w = calloc(1, sizeof(*w));
    int reason;

    if (!w)
        return -1;
    w->queue = queue;
    w->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    reason = w->directory == -1 ? errno : 0;
    if (reason == 0 && fill(w, name, data, length, request) != 0)
        reason = ENOMEM;
    if (reason == 0)
        return worker_run(worker, write_job, writing_free, w);
    writing_free(w);
    errno = reason;
    return -1;
}
