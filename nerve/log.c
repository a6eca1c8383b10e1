/* log.c - one line per event, to a descriptor, without ever blocking the loop
 *
 * Loop thread, except for write_line(), which runs on the log's worker and owns
 * its text, and log_last_words().
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "csrc/base/worker.h"
#include "nerve/log.h"

#define LINE_MAX_BYTES 1024
#define FLUSH_TURN_MS  5
#define LAST_WORDS_MS  100
#define PENDING_MAX    4096 /* waiting lines; a reload may log thousands */

struct log {
    int fd; /* borrowed */
    enum event_level level;
    struct worker *worker; /* owned */
    unsigned long dropped; /* lost since the last line that fitted */
};

/* A line on its way to the worker. */
struct line {
    int fd;
    size_t length;
    char text[LINE_MAX_BYTES];
};

struct log *log_new(int fd, enum event_level level) {
    struct log *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->worker = worker_new();
    if (!l->worker) {
        free(l);
        return NULL;
    }
    l->fd = fd;
    l->level = level;
    return l;
}

void log_free(struct log *l) {
    if (!l)
        return;
    worker_free(l->worker);
    free(l);
}

/* Tells whether to try again. If the descriptor has no room, waits for that
 * first: another program that shares it may have made it non-blocking. */
static bool may_write_again(int fd) {
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    if (errno == EINTR)
        return true;
    return errno == EAGAIN && (poll(&room, 1, -1) == 1 || errno == EINTR);
}

/* Worker thread. Drops a line that cannot be written. */
static void write_line(void *job) {
    struct line *line = job;
    size_t done = 0;
    ssize_t count;

    while (done < line->length) {
        count = write(line->fd, line->text + done, line->length - done);
        if (count == -1 && may_write_again(line->fd))
            continue;
        if (count <= 0)
            break;
        done += (size_t)count;
    }
    free(line);
}

/* Moves the end of the line by the result of snprintf, which may be more than
 * there was room for. */
static void advance(struct line *line, int written) {
    size_t room = sizeof(line->text) - 1 - line->length;

    if (written > 0)
        line->length += (size_t)written < room ? (size_t)written : room;
}

/* Starts <line> with the time, as in 2026-01-31T23:59:59.123Z. */
static void add_head(struct line *line, enum event_level level) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    struct timespec now;
    struct tm parts;
    char date[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    advance(line, snprintf(line->text, sizeof(line->text), "%s.%03ldZ %s ",
                           date, now.tv_nsec / 1000000, names[level]));
}

/* Ends <line> and cleans it: no byte may move a terminal's cursor. */
static void finish(struct line *line) {
    for (size_t i = 0; i < line->length; i++)
        if ((unsigned char)line->text[i] < 0x20 || line->text[i] == 0x7f)
            line->text[i] = '?';
    line->text[line->length++] = '\n';
}

static void add_text(struct line *line, enum event_level level,
                     const char *format, va_list args) {
    add_head(line, level);
    advance(line, vsnprintf(line->text + line->length,
                            sizeof(line->text) - line->length, format, args));
    finish(line);
}

static int send_line(struct log *l, enum event_level level, const char *format,
                     va_list args) {
    struct line *line = calloc(1, sizeof(*line));

    if (!line)
        return -1;
    line->fd = l->fd;
    add_text(line, level, format, args);
    return worker_run(l->worker, write_line, free, line);
}

static void say_dropped(struct log *l, const char *format, ...) {
    va_list args;

    va_start(args, format);
    if (send_line(l, LEVEL_WARNING, format, args) == 0)
        l->dropped = 0;
    va_end(args);
}

void log_line(struct log *l, enum event_level level, const char *format, ...) {
    va_list args;

    if (level > l->level)
        return;
    if (worker_pending(l->worker) >= PENDING_MAX) {
        l->dropped++;
        return;
    }
    if (l->dropped)
        say_dropped(l, "%lu log line%s dropped", l->dropped,
                    l->dropped == 1 ? "" : "s");
    va_start(args, format);
    if (send_line(l, level, format, args) != 0)
        l->dropped++;
    va_end(args);
}

int log_flush(struct log *l, int timeout_ms) {
    const struct timespec turn = {.tv_nsec = FLUSH_TURN_MS * 1000000L};

    for (; worker_pending(l->worker) > 0; timeout_ms -= FLUSH_TURN_MS) {
        if (timeout_ms <= 0)
            return -1;
        nanosleep(&turn, NULL);
    }
    return 0;
}

/* A line is shorter than PIPE_BUF, so one write is atomic. */
int log_last_words(const struct log *l, const char *format, ...) {
    struct pollfd ready = {.fd = l->fd, .events = POLLOUT};
    struct line line = {.fd = l->fd};
    va_list args;

    va_start(args, format);
    add_text(&line, LEVEL_ERROR, format, args);
    va_end(args);
    if (poll(&ready, 1, LAST_WORDS_MS) <= 0)
        return -1;
    return write(line.fd, line.text, line.length) > 0 ? 0 : -1;
}
