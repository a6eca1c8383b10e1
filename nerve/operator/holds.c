/* holds.c - the holds, and the file that keeps them over a restart
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csrc/base/error.h"
#include "csrc/base/event.h"
#include "csrc/base/file.h"
#include "nerve/operator/holds.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)

/* Returns the name behind the last slash. */
static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Opens the directory that <path> is in. Returns its descriptor, or -1 with
 * errno. */
static int open_directory_of(const char *path) {
    const char *name = name_of(path);
    char *directory;
    int fd;

    if (name == path)
        return file_open_directory(".");
    directory = strndup(path, (size_t)(name - path));
    if (!directory)
        return -1;
    fd = file_open_directory(directory);
    free(directory);
    return fd;
}

int holds_file_use(struct holds_file *s, const char *path, struct error *err) {
    char *copy = NULL;
    int directory;

    if (path && s->path && strcmp(path, s->path) == 0)
        return 0;
    if (path) {
        directory = open_directory_of(path);
        copy = directory == -1 ? NULL : strdup(path);
        if (!copy)
            error_set(err, "holds_path: %s: %s", path, strerror(errno));
        if (directory != -1)
            close(directory);
        if (!copy)
            return -1;
    }
    free(s->path);
    s->path = copy;
    return 0;
}

/* Reads the file. Returns its text, owned by the caller, or NULL with errno. */
static char *read_text(const struct holds_file *s, size_t *length) {
    int directory = open_directory_of(s->path), reason;
    char *text;

    if (directory == -1)
        return NULL;
    text = file_read(directory, name_of(s->path), FILE_MAX_BYTES, length);
    reason = errno;
    close(directory);
    errno = reason;
    return text;
}

void holds_file_begin(struct holds_file *s) {
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (file && fgets(s->holds.boot, sizeof(s->holds.boot), file))
        s->holds.boot[strcspn(s->holds.boot, "\n")] = '\0';
    if (file)
        fclose(file);
}

int holds_file_read(struct holds_file *s, struct error *err) {
    struct error inner = {0};
    size_t length;
    char *text;
    int status;

    if (!s->path)
        return 0;
    text = read_text(s, &length);
    if (!text && errno == ENOENT)
        return 0;
    if (!text)
        error_set(&inner, "%s", strerror(errno));
    status = text ? holds_decode(&s->holds, text, length, &inner) : -1;
    if (status != 0)
        error_set(err, "holds_path: %s: %s", s->path, inner.text);
    free(text);
    return status;
}

/* Begins to write. Returns 0 or errno. The directory may be another one than
 * it was: somebody may have removed and made it again. */
static int begin(const struct holds_file *s) {
    char *text = holds_encode(&s->holds);
    int directory = text ? open_directory_of(s->path) : -1;
    int error = text ? 0 : ENOMEM;

    if (text && (directory == -1 ||
                 file_write(s->worker, s->queue, directory, name_of(s->path),
                            text, strlen(text), 0600, s->written) != 0))
        error = errno;
    if (directory != -1)
        close(directory);
    free(text);
    return error;
}

/* Notes that the write <number> has ended, unless a later one has: a write
 * that cannot begin ends at once. */
static void end(struct holds_file *s, uint32_t number, int error) {
    if ((int32_t)(number - s->ended) <= 0)
        return;
    s->ended = number;
    s->error = error;
}

uint32_t holds_file_write(struct holds_file *s) {
    int error;

    s->written++;
    error = s->path ? begin(s) : 0;
    if (error || !s->path)
        end(s, s->written, error);
    return s->written;
}

void holds_file_absorb(struct holds_file *s, const struct event *ev) {
    end(s, (uint32_t)ev->request, ev->code);
}

enum hold_kept holds_file_kept(const struct holds_file *s, uint32_t number,
                               int *error) {
    *error = 0;
    if ((int32_t)(s->ended - number) < 0)
        return HOLD_BEING_KEPT;
    *error = s->error;
    return s->error ? HOLD_NOT_KEPT : HOLD_KEPT;
}

void holds_file_close(struct holds_file *s) {
    free(s->path);
    holds_close(&s->holds);
}
