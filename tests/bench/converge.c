/* converge.c - from a znode's change to HAProxy's runtime API showing it
 *
 *   converge HOSTS ROUNDS NAME PATH SOCKET NAME PATH SOCKET
 *
 * Two sides are measured in turn, each a path of instances and a HAProxy whose
 * one backend follows it with a single slot to spare: the one that the next
 * instance must get. A round creates that instance on a side, waits until the
 * runtime API on SOCKET shows its slot in use, deletes it and waits for maint;
 * then the other side. Each round begins with the side that ended the last.
 * The time runs from ZooKeeper's reply. Printed is one figure a line, in
 * microseconds:
 *
 *   NAME ready 1234    from the reply to the create to the server in use
 *   NAME maint 1234    from the reply to the delete to the server in maint
 *   NAME poll 123      one question of the runtime API with nothing going on
 *
 * The question is `show stat` of that one server, so that both sides and all
 * sizes are looked at alike and being looked at costs them little: the line
 * of a backend costs HAProxy a walk along its servers, on the threads that
 * the agent runs on.
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <zookeeper/zookeeper.h>

#include "csrc/base/clock.h"

#define STATUS_COLUMN  17      /* of `show stat` */
#define PROXY_COLUMN   27      /* iid */
#define SERVER_COLUMN  28      /* sid */
#define POLL_PAUSE_US  50      /* between two questions */
#define DEADLINE_US    5000000 /* for a change to show */
#define REST_US        10000   /* at least, between two changes, and */
#define REST_SPREAD_US 20000L  /* at most so much more */
#define PROMPT         "\n> "

struct side {
    const char *name; /* borrowed, as all of these */
    const char *path;
    const char *socket;
    int api; /* the runtime API, in interactive mode */
    char question[64];
    char answer[1 << 20];
};

struct bench {
    zhandle_t *zh; /* owned */
    int rounds;
    struct side sides[2];
};

static void die(const struct side *s, const char *what) {
    fprintf(stderr, "converge: %s: %s\n", s ? s->name : "setup", what);
    exit(1);
}

static void rest_us(long microseconds) {
    struct timespec time = {.tv_nsec = microseconds * 1000};

    nanosleep(&time, NULL);
}

/* Sends <command>, a whole line, and reads its answer up to the prompt. */
static const char *ask(struct side *s, const char *command) {
    size_t length = strlen(command);
    size_t used = 0;

    if (write(s->api, command, length) != (ssize_t)length)
        die(s, "the runtime API is gone");
    do {
        ssize_t got =
            read(s->api, s->answer + used, sizeof(s->answer) - 1 - used);
        if (got <= 0)
            die(s, "the runtime API gives no answer");
        used += (size_t)got;
        s->answer[used] = '\0';
    } while (used < strlen(PROMPT) ||
             strcmp(s->answer + used - strlen(PROMPT), PROMPT) != 0);
    return s->answer;
}

static void open_api(struct side *s) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    s->api = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(s->socket) >= sizeof(address.sun_path))
        die(s, "the socket's path is too long");
    strcpy(address.sun_path, s->socket);
    if (s->api < 0 ||
        connect(s->api, (struct sockaddr *)&address, sizeof(address)) != 0)
        die(s, "no connection to the runtime API");
    ask(s, "prompt\n");
}

/* Returns the field <column> of <line>, up to the end of the answer. */
static const char *field(const struct side *s, const char *line, int column) {
    for (int i = 0; line && i < column; i++) {
        line = strchr(line, ',');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        die(s, "the statistics cannot be read");
    return line;
}

static bool has_status(const struct side *s, const char *line,
                       const char *status) {
    const char *found = field(s, line, STATUS_COLUMN);

    return strncmp(found, status, strlen(status)) == 0;
}

/* Finds the one slot in maint, and makes the question that asks for it. */
static void find_slot(struct side *s) {
    const char *line = strchr(ask(s, "show stat -1 4 -1\n"), '\n');
    int found = 0;

    for (; line && line[1] != '\n'; line = strchr(line + 1, '\n')) {
        if (!has_status(s, line + 1, "MAINT"))
            continue;
        snprintf(s->question, sizeof(s->question), "show stat %d 4 %d\n",
                 atoi(field(s, line + 1, PROXY_COLUMN)),
                 atoi(field(s, line + 1, SERVER_COLUMN)));
        found++;
    }
    if (found != 1)
        die(s, "there is not one free slot");
}

/* Tells whether the slot has <status> now. */
static bool shows(struct side *s, const char *status) {
    const char *line = strchr(ask(s, s->question), '\n');

    return has_status(s, line ? line + 1 : NULL, status);
}

/* Waits until the slot has <status>; prints the time since <start>. */
static void expect(struct side *s, const char *metric, const char *status,
                   int64_t start) {
    while (!shows(s, status)) {
        if (clock_us() - start > DEADLINE_US)
            die(s, metric);
        rest_us(POLL_PAUSE_US);
    }
    printf("%s %s %lld\n", s->name, metric, (long long)(clock_us() - start));
}

/* Lets what follows a change (a snapshot, a log line) end, so that no side is
 * charged for the other; at random, so that no period of a program shows. */
static void settle(void) { rest_us(REST_US + random() % REST_SPREAD_US); }

static void time_poll(struct side *s) {
    int64_t start = clock_us();

    shows(s, "MAINT");
    printf("%s poll %lld\n", s->name, (long long)(clock_us() - start));
}

/* An instance that was never there before comes and goes. */
static void probe(const struct bench *b, struct side *s, int round) {
    char path[512];
    char made[512];
    char data[128];
    int length = snprintf(data, sizeof(data),
                          "{\"host\":\"127.0.2.1\",\"port\":%d,"
                          "\"name\":\"probe\"}",
                          20000 + round);

    snprintf(path, sizeof(path), "%s/probe_", s->path);
    settle();
    time_poll(s);
    if (zoo_create(b->zh, path, data, length, &ZOO_OPEN_ACL_UNSAFE,
                   ZOO_EPHEMERAL | ZOO_SEQUENCE, made, sizeof(made)) != ZOK)
        die(s, "the probe's znode cannot be created");
    expect(s, "ready", "no check", clock_us());
    settle();
    if (zoo_delete(b->zh, made, -1) != ZOK)
        die(s, "the probe's znode cannot be deleted");
    expect(s, "maint", "MAINT", clock_us());
}

static void on_session(zhandle_t *zh, int type, int state, const char *path,
                       void *context) {
    (void)zh;
    (void)type;
    (void)path;
    (void)context;
    if (state == ZOO_EXPIRED_SESSION_STATE)
        die(NULL, "the session expired");
}

static void run(struct bench *b) {
    for (int i = 0; i < 2; i++) {
        open_api(&b->sides[i]);
        find_slot(&b->sides[i]);
    }
    for (int round = 0; round < b->rounds; round++) {
        probe(b, &b->sides[round % 2], round);
        probe(b, &b->sides[1 - round % 2], round);
    }
}

int main(int argc, char **argv) {
    static struct bench b;

    if (argc != 9)
        die(NULL, "usage: converge HOSTS ROUNDS "
                  "NAME PATH SOCKET NAME PATH SOCKET");
    b.rounds = atoi(argv[2]);
    for (int i = 0; i < 2; i++) {
        b.sides[i].name = argv[3 + 3 * i];
        b.sides[i].path = argv[4 + 3 * i];
        b.sides[i].socket = argv[5 + 3 * i];
    }
    prctl(PR_SET_TIMERSLACK, 1UL);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    b.zh = zookeeper_init(argv[1], on_session, 10000, NULL, NULL, 0);
    if (!b.zh)
        die(NULL, "no handle");
    run(&b);
    zookeeper_close(b.zh);
    return 0;
}
