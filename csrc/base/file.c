/* file.c - small files in a directory that was opened before a chroot
 *
 * Root may read here, at load, what an unprivileged user can write: hence no
 * symbolic links, regular files only, a bound.
 *
 *   loop thread    all of file.h
 *   worker thread  job(), sweep()
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "csrc/base/clock.h"
#include "csrc/base/event.h"
#include "csrc/base/file.h"
#include "csrc/base/hash.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"

/* Of the random number in the name of a temporary file. */
#define DIGITS 16

/* Seconds after which a temporary file is taken for abandoned. */
#define OLD 60

struct writing {
    struct queue *queue; /* borrowed */
    struct event *ended; /* owned until it is pushed */
    int directory;       /* a duplicate, owned */
    char *name;          /* owned */
    char *temporary;     /* owned */
    char *data;          /* owned; NULL: the file is to be removed */
    size_t length;
    mode_t mode;
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

static char *read_file(int directory, const char *name, int flags, size_t max,
                       size_t *length) {
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
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

char *file_read(int directory, const char *name, size_t max, size_t *length) {
    return read_file(directory, name, O_NOFOLLOW, max, length);
}

char *file_read_linked(int directory, const char *name, size_t max,
                       size_t *length) {
    return read_file(directory, name, 0, max, length);
}

int file_stamp(int directory, const char *name, uint64_t *stamp) {
    struct stat status;
    int64_t facts[7];

    if (fstatat(directory, name, &status, 0) == -1)
        return -1;
    facts[0] = (int64_t)status.st_dev;
    facts[1] = (int64_t)status.st_ino;
    facts[2] = (int64_t)status.st_size;
    facts[3] = (int64_t)status.st_mtim.tv_sec;
    facts[4] = (int64_t)status.st_mtim.tv_nsec;
    facts[5] = (int64_t)status.st_ctim.tv_sec;
    facts[6] = (int64_t)status.st_ctim.tv_nsec;
    *stamp = hash_bytes((const char *)facts, sizeof(facts));
    return 0;
}

const char *file_remote(int directory, const char *name) {
    static const struct {
        uint32_t type;
        const char *name;
    } systems[] = {
        {0x6969, "NFS"},      {0x517b, "SMB"},        {0xff534d42, "SMB"},
        {0xfe534d42, "SMB"},  {0x65735546, "FUSE"},   {0x01021997, "9P"},
        {0x00c36400, "Ceph"}, {0x5346414f, "AFS"},    {0x6b414653, "AFS"},
        {0x73757245, "Coda"}, {0x0bd00bd0, "Lustre"}, {0x47504653, "GPFS"},
    };
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct statfs status;
    const char *found = NULL;

    if (fd == -1)
        return NULL;
    if (fstatfs(fd, &status) == 0)
        for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++)
            if (systems[i].type == (uint32_t)status.f_type)
                found = systems[i].name;
    close(fd);
    return found;
}

/* Appends <name> with its NUL. */
static int add_name(char **names, size_t *length, const char *name) {
    size_t more = strlen(name) + 1;
    char *grown = realloc(*names, *length + more);

    if (!grown)
        return -1;
    memcpy(grown + *length, name, more);
    *names = grown;
    *length += more;
    return 0;
}

/* Appends all names of <list>. Returns 0 or errno: a list that broke off says
 * nothing of the files that it does not have. */
static int add_names(char **names, size_t *length, DIR *list) {
    const struct dirent *entry;

    /* At the end readdir() leaves errno as it is. */
    while (errno = 0, (entry = readdir(list)))
        if (add_name(names, length, entry->d_name) == -1)
            return ENOMEM;
    return errno;
}

char *file_list(int directory, const char *name, size_t *length) {
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd == -1 ? NULL : fdopendir(fd);
    char *names;
    int reason;

    *length = 0;
    if (!list) {
        if (fd != -1)
            close(fd);
        return NULL;
    }
    names = malloc(1); /* so that a list without names is one, too */
    reason = names ? add_names(&names, length, list) : ENOMEM;
    closedir(list);
    if (reason == 0)
        return names;
    free(names);
    errno = reason;
    return NULL;
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
    reason =
        fchmod(fd, w->mode) == -1 ? errno : write_bytes(fd, w->data, w->length);
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

/* A file that is already gone counts as removed. */
static int remove_file(const struct writing *w) {
    if (unlinkat(w->directory, w->name, 0) == -1 && errno != ENOENT)
        return errno;
    return 0;
}

static bool is_temporary(const char *entry, const char *name) {
    size_t length = strlen(name);

    return entry[0] == '.' && strncmp(entry + 1, name, length) == 0 &&
           entry[length + 1] == '.' &&
           strspn(entry + length + 2, "0123456789abcdef") == DIGITS &&
           entry[length + 2 + DIGITS] == '\0';
}

static bool is_old(int directory, const char *entry) {
    struct stat status;

    return fstatat(directory, entry, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode) && time(NULL) - status.st_mtime > OLD;
}

/* Removes what a crash has left beside file <name>. A young file may be one
 * that another worker is writing now. */
static void sweep(const struct writing *w) {
    int fd = openat(w->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd == -1 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!list) {
        if (fd != -1)
            close(fd);
        return;
    }
    while ((entry = readdir(list)))
        if (is_temporary(entry->d_name, w->name) && is_old(fd, entry->d_name))
            unlinkat(fd, entry->d_name, 0);
    closedir(list);
}

static void job(void *data) {
    struct writing *w = data;

    if (w->data)
        sweep(w);
    w->ended->code = w->data ? replace(w) : remove_file(w);
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
    w->data = data ? malloc(length + 1) : NULL;
    w->ended = event_new(EVENT_JOB);
    w->temporary = temporary_name(name);
    if (!w->name || (data && !w->data) || !w->ended || !w->temporary)
        return -1;
    if (data)
        memcpy(w->data, data, length);
    w->length = length;
    w->ended->request = request;
    return 0;
}

/* <data> NULL removes. */
static int run(struct worker *worker, struct queue *queue, int directory,
               const char *name, const char *data, size_t length, mode_t mode,
               uint32_t request) {
    struct writing *w = calloc(1, sizeof(*w));
    int reason;

    if (!w)
        return -1;
    w->queue = queue;
    w->mode = mode;
    w->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    reason = w->directory == -1 ? errno : 0;
    if (reason == 0 && fill(w, name, data, length, request) != 0)
        reason = ENOMEM;
    if (reason == 0)
        return worker_run(worker, job, writing_free, w);
    writing_free(w);
    errno = reason;
    return -1;
}

int file_write(struct worker *worker, struct queue *queue, int directory,
               const char *name, const char *data, size_t length, mode_t mode,
               uint32_t request) {
    return run(worker, queue, directory, name, data, length, mode, request);
}

int file_remove(struct worker *worker, struct queue *queue, int directory,
                const char *name, uint32_t request) {
    return run(worker, queue, directory, name, NULL, 0, 0, request);
}

int64_t file_changed(int directory, const char *name) {
    struct stat status;

    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == -1)
        return -1;
    return (int64_t)status.st_mtime;
}
