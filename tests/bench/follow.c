/* follow.c - the floor of the agent: the same work, by nothing but C
 *
 *   follow HOSTS SOCKET FILE
 *
 * Each line "BACKEND PATH SLOTS" of FILE is a service: its path is
 * watched and listed, each child is watched, read and decoded, gets a slot of
 * the backend and is made ready in it through the runtime API on SOCKET; what
 * leaves is set to maint. Changes that come while HAProxy answers share the
 * next line. Nothing is filtered, guarded, kept, compared with HAProxy, logged
 * or shown: a floor for the agent, not a rival.
 *
 * Prints "ready" when all that was there at the start is in its slots.
 * SIGUSR1 prints "LONGEST COMMANDS LINES REQUESTS": the microseconds that the
 * longest line took to be answered, how many commands and lines there were and
 * how many requests were made of ZooKeeper, since the last SIGUSR1. SIGTERM
 * ends it.
 *
 *   main thread        main(), send_lines(): speaks to HAProxy
 *   completion thread  every on_*() function, and all of <struct service>
 *
 * <lock> protects <waiting>, <requests> and <open>.
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <jansson.h>
#include <zookeeper/zookeeper.h>

#include "csrc/base/clock.h"
#include "csrc/base/hash.h"
#include "csrc/base/text.h"
#include "tests/bench/connect.h"

#define LINE_SIZE 12000 /* of the commands in one line */
#define PROMPT    "\n> "

struct service {
    char backend[64];
    char path[256];
    size_t slots;
    struct instance **buckets; /* by the name's hash; <slots> rounded up */
    size_t mask;
    int *free_slots; /* numbers from 1 */
    size_t free_count;
    unsigned int round; /* of the lists */
    struct instance *first;
};

struct instance {
    struct service *service;
    struct instance *same;            /* the next in the bucket */
    struct instance *next, *previous; /* in the service */
    unsigned int round;               /* of the last list that has it */
    int slot;                         /* 0: none yet */
    bool gone;
    bool asked; /* an answer is on its way, which frees what is gone */
    int weight;
    int port;
    char host[64];
    char name[];
};

static struct {
    pthread_mutex_t lock;
    struct text waiting; /* commands, each with its newline */
    int64_t requests;
    int64_t open; /* answers that the start waits for */
    int woken;    /* an eventfd */
    zhandle_t *zh;
    struct service *services;
    size_t count;
} floors = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_change(zhandle_t *zh, int type, int state, const char *path,
                      void *context);
static void on_instance(zhandle_t *zh, int type, int state, const char *path,
                        void *context);

static void die(const char *what) {
    fprintf(stderr, "follow: %s\n", what);
    exit(1);
}

static void *need(void *memory) {
    if (!memory)
        die("out of memory");
    return memory;
}

static void count_request(int rc) {
    if (rc != ZOK)
        die("a request cannot be made");
    pthread_mutex_lock(&floors.lock);
    floors.requests++;
    floors.open++;
    pthread_mutex_unlock(&floors.lock);
}

/* One answer is dealt with. */
static void close_request(void) {
    pthread_mutex_lock(&floors.lock);
    floors.open--;
    pthread_mutex_unlock(&floors.lock);
    eventfd_write(floors.woken, 1);
}

static void command(const struct instance *i, const char *words) {
    pthread_mutex_lock(&floors.lock);
    text_printf(&floors.waiting, "set server %s/s%d %s\n", i->service->backend,
                i->slot, words);
    pthread_mutex_unlock(&floors.lock);
}

static void place(struct instance *i, const char *host, int port, int weight) {
    struct service *s = i->service;
    bool is_new = i->slot == 0,
         moved = is_new || port != i->port || strcmp(host, i->host) != 0;
    char words[128];

    if (is_new && s->free_count == 0)
        die("no slot is free");
    if (is_new)
        i->slot = s->free_slots[--s->free_count];
    if (moved) {
        if (!is_new)
            command(i, "state maint");
        snprintf(words, sizeof(words), "addr %s port %d", host, port);
        command(i, words);
    }
    if (weight != i->weight) {
        snprintf(words, sizeof(words), "weight %d", weight);
        command(i, words);
    }
    if (moved)
        command(i, "state ready");
    snprintf(i->host, sizeof(i->host), "%s", host);
    i->port = port;
    i->weight = weight;
}

static struct instance **bucket_of(struct service *s, const char *name) {
    return &s->buckets[hash_text(name) & s->mask];
}

static struct instance *find(struct service *s, const char *name) {
    struct instance *i = *bucket_of(s, name);

    while (i && strcmp(i->name, name) != 0)
        i = i->same;
    return i;
}

static void decode(struct instance *i, const char *data, size_t length) {
    const char *host;
    int port, weight = 1;
    json_t *json = json_loadb(data, length, 0, NULL);

    if (json_unpack(json, "{s:s, s:i, s?i}", "host", &host, "port", &port,
                    "weight", &weight) != 0)
        die("a znode has no host and port");
    place(i, host, port, weight);
    json_decref(json);
}

static void on_data(int rc, const char *data, int length,
                    const struct Stat *stat, const void *context) {
    struct instance *i = (struct instance *)(uintptr_t)context;

    (void)stat;
    i->asked = false;
    if (i->gone)
        free(i);
    else if (rc == ZOK)
        decode(i, data, (size_t)length);
    else if (rc != ZNONODE)
        die("an instance cannot be read");
    close_request();
}

static void read_instance(struct instance *i) {
    char path[512];

    if (i->asked)
        return;
    i->asked = true;
    snprintf(path, sizeof(path), "%s/%s", i->service->path, i->name);
    count_request(
        zoo_awget(floors.zh, path, on_instance, i->service, on_data, i));
}

static void add(struct service *s, const char *name) {
    struct instance *i = need(calloc(1, sizeof(*i) + strlen(name) + 1));
    struct instance **bucket = bucket_of(s, name);

    strcpy(i->name, name);
    i->service = s;
    i->weight = 1;
    i->round = s->round;
    i->same = *bucket;
    *bucket = i;
    i->next = s->first;
    if (i->next)
        i->next->previous = i;
    s->first = i;
    read_instance(i);
}

static void drop(struct instance *i) {
    struct service *s = i->service;
    struct instance **at = bucket_of(s, i->name);

    while (*at != i)
        at = &(*at)->same;
    *at = i->same;
    if (i->next)
        i->next->previous = i->previous;
    if (i->previous)
        i->previous->next = i->next;
    else
        s->first = i->next;
    if (i->slot) {
        command(i, "state maint");
        s->free_slots[s->free_count++] = i->slot;
    }
    i->gone = true;
    if (!i->asked)
        free(i);
}

static void compare(struct service *s, const struct String_vector *names) {
    struct instance *i, *next;

    s->round++;
    for (int n = 0; n < names->count; n++) {
        i = find(s, names->data[n]);
        if (i)
            i->round = s->round;
    }
    for (i = s->first; i; i = next) {
        next = i->next;
        if (i->round != s->round)
            drop(i);
    }
    for (int n = 0; n < names->count; n++)
        if (!find(s, names->data[n]))
            add(s, names->data[n]);
}

static void on_children(int rc, const struct String_vector *names,
                        const void *context) {
    if (rc != ZOK)
        die("a list cannot be read");
    compare((struct service *)(uintptr_t)context, names);
    close_request();
}

static void read_children(struct service *s) {
    count_request(
        zoo_awget_children(floors.zh, s->path, on_change, s, on_children, s));
}

/* Of a service's path. */
static void on_change(zhandle_t *zh, int type, int state, const char *path,
                      void *context) {
    (void)zh;
    (void)state;
    (void)path;
    if (type == ZOO_CHILD_EVENT)
        read_children(context);
    else if (type != ZOO_SESSION_EVENT)
        die("a path is gone");
}

/* Of an instance, by its path: it may be gone by then. */
static void on_instance(zhandle_t *zh, int type, int state, const char *path,
                        void *context) {
    struct instance *i;

    (void)zh;
    (void)state;
    if (type != ZOO_CHANGED_EVENT)
        return;
    i = find(context, strrchr(path, '/') + 1);
    if (i)
        read_instance(i);
}

static void on_session(zhandle_t *zh, int type, int state, const char *path,
                       void *context) {
    static bool started;

    (void)path;
    (void)context;
    (void)type;
    floors.zh = zh;
    if (state == ZOO_EXPIRED_SESSION_STATE)
        die("the session has expired");
    if (state != ZOO_CONNECTED_STATE || started)
        return;
    started = true;
    for (size_t n = 0; n < floors.count; n++)
        read_children(&floors.services[n]);
    close_request();
}

/* Reads one service. Returns whether there was one. */
static bool read_service(FILE *file) {
    struct service *s, new = {0};
    size_t size = 16;

    if (fscanf(file, "%63s %255s %zu", new.backend, new.path, &new.slots) != 3)
        return false;
    while (size < new.slots)
        size *= 2;
    new.mask = size - 1;
    new.buckets = need(calloc(size, sizeof(*new.buckets)));
    new.free_slots = need(calloc(new.slots + 1, sizeof(*new.free_slots)));
    for (size_t n = new.slots; n > 0; n--)
        new.free_slots[new.free_count++] = (int)n;
    s = need(realloc(floors.services, (floors.count + 1) * sizeof(*s)));
    s[floors.count++] = new;
    floors.services = s;
    return true;
}

/* Reads until HAProxy has answered <count> commands: each ends in a prompt. */
static void read_answers(int fd, int count) {
    static char bytes[65536];
    size_t kept = 0;
    char *at, *next;
    ssize_t got;

    while (count > 0) {
        got = read(fd, bytes + kept, sizeof(bytes) - 1 - kept);
        if (got <= 0)
            die("HAProxy hung up");
        bytes[kept + (size_t)got] = '\0';
        if (strstr(bytes, "No such") || strstr(bytes, "Unknown") ||
            strstr(bytes, "Invalid") || strstr(bytes, "Require"))
            die(bytes);
        for (at = bytes; count > 0 && (next = strstr(at, PROMPT)); count--)
            at = next + strlen(PROMPT);
        kept = strlen(at);
        memmove(bytes, at, kept + 1);
    }
}

static void write_all(int fd, const char *bytes, size_t length) {
    ssize_t put;

    for (; length > 0; bytes += put, length -= (size_t)put)
        if ((put = write(fd, bytes, length)) <= 0)
            die("HAProxy hung up");
}

struct tally {
    int64_t longest_us, commands, lines;
};

/* Sends what waits, one line of commands after the other. Changes <text>. */
static void send_lines(int fd, char *text, struct tally *t) {
    while (*text) {
        size_t length = 0;
        int64_t start, took;
        int count = 0;

        for (char *end; text[length] && length < LINE_SIZE; count++) {
            end = strchr(text + length, '\n');
            *end = ';';
            length = (size_t)(end - text) + 1;
        }
        text[length - 1] = '\n';
        start = clock_us();
        write_all(fd, text, length);
        read_answers(fd, count);
        took = clock_us() - start;
        if (took > t->longest_us)
            t->longest_us = took;
        t->commands += count;
        t->lines++;
        text += length;
    }
}

/* Takes what waits. Returns it owned, NULL where there is nothing; <idle> tells
 * whether nothing more is on its way from ZooKeeper. */
static char *take(bool *idle) {
    char *text = NULL;

    pthread_mutex_lock(&floors.lock);
    *idle = floors.open == 0;
    if (floors.waiting.length > 0)
        text = need(text_take(&floors.waiting));
    pthread_mutex_unlock(&floors.lock);
    return text;
}

static void tell(struct tally *t) {
    int64_t requests;

    pthread_mutex_lock(&floors.lock);
    requests = floors.requests;
    floors.requests = 0;
    pthread_mutex_unlock(&floors.lock);
    printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", t->longest_us,
           t->commands, t->lines, requests);
    *t = (struct tally){0};
}

/* Waits for a signal or for work. Returns the signal, or 0. */
static int wait_for_work(int signals) {
    struct pollfd polls[2] = {{.fd = signals, .events = POLLIN},
                              {.fd = floors.woken, .events = POLLIN}};
    struct signalfd_siginfo info;
    eventfd_t value;

    if (poll(polls, 2, -1) < 0)
        return 0;
    if (polls[1].revents)
        eventfd_read(floors.woken, &value);
    if (polls[0].revents && read(signals, &info, sizeof(info)) > 0)
        return (int)info.ssi_signo;
    return 0;
}

int main(int argc, char **argv) {
    struct tally tally = {0};
    bool idle, started = false;
    sigset_t ours;
    int api, signals, number;
    char *text;
    FILE *file;

    if (argc != 4 || !(file = fopen(argv[3], "re")))
        die("usage: follow HOSTS SOCKET FILE");
    while (read_service(file))
        ;
    fclose(file);
    setlinebuf(stdout);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &ours, NULL);
    signals = signalfd(-1, &ours, SFD_CLOEXEC);
    floors.woken = eventfd(0, EFD_CLOEXEC);
    floors.open = 1; /* the session */
    api = connect_unix(argv[2], die);
    write_all(api, "prompt\n", 7);
    read_answers(api, 1);
    if (!zookeeper_init(argv[1], on_session, 10000, NULL, NULL, 0))
        die("no handle");
    while ((number = wait_for_work(signals)) == 0 || number == SIGUSR1) {
        text = take(&idle);
        if (text)
            send_lines(api, text, &tally);
        free(text);
        if (idle && !started)
            puts("ready");
        started |= idle;
        if (number == SIGUSR1)
            tell(&tally);
    }
    zookeeper_close(floors.zh);
    return 0;
}
