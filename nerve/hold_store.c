/* hold_store.c - the holds, and the file that keeps them over a restart
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csrc/error.h"
#include "csrc/event.h"
#include "csrc/file.h"
#include "nerve/hold_store.h"

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

static void let_go(struct hold_store *s) {
    if (s->path)
        close(s->directory);
    free(s->path);
    s->path = NULL;
}

int hold_store_use(struct hold_store *s, const char *path, struct error *err) {
    char *copy = NULL;
    int directory = -1;

    if (path && s->path && strcmp(path, s->path) == 0)
        return 0;
    if (path) {
        directory = open_directory_of(path);
        copy = directory == -1 ? NULL : strdup(path);
        if (!copy) {
            error_set(err, "holds_path: %s: %s", path, strerror(errno));
            if (directory != -1)
                close(directory);
            return -1;
        }
    }
    let_go(s);
    s->path = copy;
    s->directory = directory;
    return 0;
}

int hold_store_read(struct hold_store *s, struct error *err) {
    struct error inner = {0};
    size_t length;
    char *text;
    int status;

    if (!s->path)
        return 0;
    text = file_read(s->directory, name_of(s->path), FILE_MAX_BYTES, &length);
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

/* A write that cannot even begin has ended. */
static void give_up(struct hold_store *s, int error) {
    s->ended = s->written;
    s->error = error;
}

uint32_t hold_store_write(struct hold_store *s) {
    char *text;

    s->written++;
    if (!s->path) {
        give_up(s, 0);
        return s->written;
    }
    text = holds_encode(&s->holds);
    if (!text)
        give_up(s, ENOMEM);
    else if (file_write(s->worker, s->queue, s->directory, name_of(s->path),
                        text, strlen(text), 0600, s->written) != 0)
        give_up(s, errno);
    free(text);
    return s->written;
}

void hold_store_absorb(struct hold_store *s, const struct event *ev) {
    s->ended = (uint32_t)ev->request;
    s->error = ev->code;
}

enum hold_kept hold_store_kept(const struct hold_store *s, uint32_t number,
                               int *error) {
    *error = 0;
    if ((int32_t)(s->ended - number) < 0)
        return HOLD_BEING_KEPT;
    *error = s->error;
    return s->error ? HOLD_NOT_KEPT : HOLD_KEPT;
}

void hold_store_close(struct hold_store *s) {
    let_go(s);
    holds_close(&s->holds);
}
