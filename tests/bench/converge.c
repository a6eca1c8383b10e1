/* converge.c - from a znode's change to HAProxy's runtime API showing it
 *
 *   converge HOSTS ROUNDS SIZE SLOTS NAME PATH SOCKET NAME PATH SOCKET
 *
 * Two sides are measured in turn, each a path with SIZE - 1 instances and a
 * HAProxy whose one backend follows it with SLOTS slots. A round creates
 * one more instance on a side, waits until the runtime API on SOCKET counts
 * SIZE active servers, deletes it and waits for SIZE - 1; then the other side;
 * each round begins with the side that ended the last. The time runs from
 * ZooKeeper's reply. What is printed, one figure a line, in microseconds:
 *
 *   NAME ready 1234    from the reply to the create to the server in use
 *   NAME maint 1234    from the reply to the delete to the server out of use
 *   NAME poll 123      one question of the runtime API with nothing going on
 *
 * The question is `show stat -1 2 -1`: one line whatever the number of
 * servers, so that both sides and all sizes are looked at alike. After each
 * figure, off the clock, the servers in maint are counted as well.
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <zookeeper/zookeeper.h>

#include "csrc/clock.h"

#define ACTIVE_COLUMN  19      /* "act" of `show stat` */
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
    char answer[4 << 20];
};

struct bench {
    zhandle_t *zh; /* owned */
    int rounds;
    int size;
    int slots;
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

/* Returns how many servers of the backend get traffic. */
static int active(struct side *s) {
    const char *field = strchr(ask(s, "show stat -1 2 -1\n"), '\n');

    for (int i = 0; field && i < ACTIVE_COLUMN; i++)
        field = strchr(field + 1, ',');
    if (!field)
        die(s, "the statistics cannot be read");
    return atoi(field + 1);
}

static int in_maint(struct side *s) {
    const char *status = ask(s, "show stat -1 4 -1\n");
    int count = 0;

    while ((status = strstr(status, ",MAINT,")) != NULL) {
        status++;
        count++;
    }
    return count;
}

/* Waits until <wanted> servers get traffic; prints the time since <start>. */
static void expect(const struct bench *b, struct side *s, const char *metric,
                   int wanted, int64_t start) {
    int64_t now;

    while (active(s) != wanted) {
        if (clock_us() - start > DEADLINE_US)
            die(s, metric);
        rest_us(POLL_PAUSE_US);
    }
    now = clock_us();
    printf("%s %s %lld\n", s->name, metric, (long long)(now - start));
    if (in_maint(s) != b->slots - wanted)
        die(s, "not as many servers in maint as there should be");
}

/* Lets what follows a change (a snapshot, a log line) end, so that no side is
 * charged for the other; at random, so that no period of a program shows. */
static void settle(void) { rest_us(REST_US + random() % REST_SPREAD_US); }

static void time_poll(struct side *s) {
    int64_t start = clock_us();

    active(s);
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
    expect(b, s, "ready", b->size, clock_us());
    settle();
    if (zoo_delete(b->zh, made, -1) != ZOK)
        die(s, "the probe's znode cannot be deleted");
    expect(b, s, "maint", b->size - 1, clock_us());
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
        if (active(&b->sides[i]) != b->size - 1)
            die(&b->sides[i], "not in its first state");
    }
    for (int round = 0; round < b->rounds; round++) {
        probe(b, &b->sides[round % 2], round);
        probe(b, &b->sides[1 - round % 2], round);
    }
}

int main(int argc, char **argv) {
    static struct bench b;

    if (argc != 11)
        die(NULL, "usage: converge HOSTS ROUNDS SIZE SLOTS "
                  "NAME PATH SOCKET NAME PATH SOCKET");
    b.rounds = atoi(argv[2]);
    b.size = atoi(argv[3]);
    b.slots = atoi(argv[4]);
    for (int i = 0; i < 2; i++) {
        b.sides[i].name = argv[5 + 3 * i];
        b.sides[i].path = argv[6 + 3 * i];
        b.sides[i].socket = argv[7 + 3 * i];
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
