/* floor.c - the least that must happen between a znode and a server's state
 *
 *   floor HOSTS PATH SOCKET SERVER
 *
 * Watches PATH. When a child whose name starts with "probe_" appears, reads
 * its data and sets SERVER ("web/s10") ready through the runtime API on
 * SOCKET; when it is gone, sets it to maint. No list is compared, nothing is
 * parsed, checked, kept or logged, and it all runs on the client library's
 * own thread: a floor for the agent, not a rival.
 *
 * Prints "ready" when the watch is set. SIGTERM ends it.
 *
 *   main thread        main(), until it waits for the signal
 *   completion thread  every on_*() function, and all of <struct floor> then
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zookeeper/zookeeper.h>

#include "tests/bench/connect.h"

#define PROBE "probe_"

struct floor {
    zhandle_t *zh;      /* owned */
    const char *path;   /* borrowed, as all of these */
    const char *socket; /* of the runtime API */
    const char *server; /* "backend/server" */
    bool started;       /* the first list was read */
    bool present;       /* the server is ready, or on its way */
};

static void on_change(zhandle_t *zh, int type, int state, const char *path,
                      void *context);

static void die(const char *what) {
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}

/* Sends one command and reads to the end; a good one answers an empty line. */
static void set_server(const struct floor *f, const char *state) {
    char text[256];
    int fd = connect_unix(f->socket, die);
    int length = snprintf(text, sizeof(text), "set server %s state %s\n",
                          f->server, state);
    ssize_t got;

    if (write(fd, text, (size_t)length) != length)
        die("the command was not taken");
    while ((got = read(fd, text, sizeof(text))) > 0)
        if (got != 1 || text[0] != '\n')
            die("the command was refused");
    close(fd);
}

static void on_data(int rc, const char *data, int length,
                    const struct Stat *stat, const void *context) {
    (void)data;
    (void)stat;
    if (rc != ZOK || length <= 0)
        die("the probe's data cannot be read");
    set_server(context, "ready");
}

static const char *find_probe(const struct String_vector *names) {
    for (int i = 0; i < names->count; i++)
        if (strncmp(names->data[i], PROBE, strlen(PROBE)) == 0)
            return names->data[i];
    return NULL;
}

static void read_probe(struct floor *f, const char *name) {
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    if (zoo_aget(f->zh, path, 0, on_data, f) != ZOK)
        die("the probe cannot be asked for");
}

static void on_children(int rc, const struct String_vector *names,
                        const void *context) {
    struct floor *f = (struct floor *)(uintptr_t)context;
    const char *probe = rc == ZOK ? find_probe(names) : NULL;

    if (rc != ZOK)
        die("the list cannot be read");
    if (probe && !f->present)
        read_probe(f, probe);
    else if (!probe && f->present)
        set_server(f, "maint");
    f->present = probe != NULL;
    if (!f->started)
        puts("ready");
    f->started = true;
}

static void read_children(struct floor *f) {
    if (zoo_awget_children(f->zh, f->path, on_change, f, on_children, f) != ZOK)
        die("the list cannot be asked for");
}

static void on_change(zhandle_t *zh, int type, int state, const char *path,
                      void *context) {
    struct floor *f = context;

    (void)path;
    f->zh = zh;
    if (type == ZOO_CHILD_EVENT)
        read_children(f);
    else if (state == ZOO_CONNECTED_STATE && !f->started)
        read_children(f);
    else if (type == ZOO_SESSION_EVENT)
        die("the session was disturbed");
}

int main(int argc, char **argv) {
    struct floor f = {0};
    sigset_t ending;
    int number;

    if (argc != 5)
        die("usage: floor HOSTS PATH SOCKET SERVER");
    f.path = argv[2];
    f.socket = argv[3];
    f.server = argv[4];
    setlinebuf(stdout);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    f.zh = zookeeper_init(argv[1], on_change, 10000, NULL, &f, 0);
    if (!f.zh)
        die("no handle");
    sigwait(&ending, &number);
    zookeeper_close(f.zh);
    return 0;
}
