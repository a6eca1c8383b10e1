/* client_log.c - the client library's log lines, as events
 *
 * The library's log callback is given no context, so there is one receiver for
 * the process. It logs a line at each failed connection attempt, six times a
 * second while an ensemble is down: a bucket of tokens lets bursts through and
 * then LINES_PER_SECOND.
 *
 * log_lines_take() runs on any thread; what it shares is atomic. <takers>
 * counts the threads inside it. They are waited for, so that a queue can be
 * freed once its lines go elsewhere.
 * SPDX-License-Identifier: MIT
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/clock.h"
#include "csrc/base/event.h"
#include "csrc/base/hash.h"
#include "csrc/base/queue.h"
#include "csrc/zookeeper/client_log.h"

#define LINES_PER_SECOND 2
#define LINES_AT_ONCE    20
#define LINE_MAX_BYTES   1024

/* A server that ends this many connections before it answers, each within this
 * many seconds of the last, was not just stopped. */
#define HANG_UPS        3
#define HANG_UP_SECONDS 5
#define HANG_UP_CAUSE                                                          \
    "; likely too many connections from this address (maxClientCnxns), or a "  \
    "server without a quorum"

/* What the library says when it has tried all servers (zookeeper_interest() in
 * its zookeeper.c): it waits a sixtieth of the session timeout and tries again.
 * Only this line reports it. */
#define ROUND     "exhaustively trying all servers ["
#define ROUND_END ']'
#define COUNTS    256

static _Atomic(struct queue *) receiver; /* borrowed */
static atomic_int takers;
static atomic_int tokens = LINES_AT_ONCE;
static atomic_long filled_at; /* second when tokens were last added */
static atomic_int dropped;
static atomic_int hang_ups;        /* unexplained, in a row */
static atomic_long hang_up_second; /* of the last one */
static atomic_uint rounds[COUNTS]; /* by the hash of the servers */

static void fill(long now) {
    long before = atomic_load(&filled_at);
    int more;

    if (now == before ||
        !atomic_compare_exchange_strong(&filled_at, &before, now))
        return;
    more = (int)(now - before > LINES_AT_ONCE ? LINES_AT_ONCE : now - before);
    atomic_fetch_add(&tokens, more * LINES_PER_SECOND);
    if (atomic_load(&tokens) > LINES_AT_ONCE)
        atomic_store(&tokens, LINES_AT_ONCE);
}

static bool may_pass(void) {
    fill((long)(clock_ms() / 1000));
    if (atomic_fetch_sub(&tokens, 1) > 0)
        return true;
    atomic_fetch_add(&tokens, 1);
    atomic_fetch_add(&dropped, 1);
    return false;
}

/* Lines read "<time>:<pid>(<thread>):ZOO_WARN@<function>@<line>: <text>". */
static enum event_level level_of(const char *line) {
    if (strstr(line, "ZOO_ERROR@"))
        return LEVEL_ERROR;
    if (strstr(line, "ZOO_WARN@"))
        return LEVEL_WARNING;
    if (strstr(line, "ZOO_INFO@"))
        return LEVEL_INFO;
    return LEVEL_DEBUG;
}

static const char *text_of(const char *line) {
    const char *origin = strstr(line, ":ZOO_");
    const char *text = origin ? strstr(origin, ": ") : NULL;

    return text ? text + 2 : line;
}

/* Tells whether a server accepted a connection and ended it, as the library
 * says it (check_events() in its zookeeper.c). A closed port is "Connection
 * refused". */
static bool is_hang_up(const char *text) {
    return strstr(text, "failed while receiving a server response") ||
           (strstr(text, "server refused to accept the client") &&
            !strstr(text, "(Connection refused)"));
}

/* Returns a hint about the cause of <text>; usually empty. */
static const char *cause_of(const char *text) {
    long now = (long)(clock_ms() / 1000);

    if (!is_hang_up(text))
        return "";
    if (now - atomic_exchange(&hang_up_second, now) > HANG_UP_SECONDS)
        atomic_store(&hang_ups, 0);
    return atomic_fetch_add(&hang_ups, 1) + 1 < HANG_UPS ? "" : HANG_UP_CAUSE;
}

/* Copies <text> to <plain> without numbers that the words beside them explain:
 * "Socket HOST zk retcode=-4, errno=111(Connection refused): MESSAGE" becomes
 * "HOST: MESSAGE (Connection refused)". */
static void copy_plain(const char *text, char *plain, size_t size) {
    char host[128], reason[128];
    int message = 0;

    if (sscanf(text, "Socket %127s zk retcode=%*d, errno=%*d(%127[^)]): %n",
               host, reason, &message) == 2 &&
        message > 0)
        snprintf(plain, size, "%s: %s (%s)", host, text + message, reason);
    else
        snprintf(plain, size, "%s", text);
}

static atomic_uint *rounds_of(const char *servers, size_t length) {
    return &rounds[hash_bytes(servers, length) % COUNTS];
}

/* Counts <line> if it says that all servers were tried. */
static void count_round(const char *line) {
    const char *servers = strstr(line, ROUND);
    const char *end = servers ? strrchr(servers, ROUND_END) : NULL;

    if (!end)
        return;
    servers += strlen(ROUND);
    atomic_fetch_add(rounds_of(servers, (size_t)(end - servers)), 1);
}

unsigned int log_lines_rounds(const char *servers) {
    return atomic_load(rounds_of(servers, strlen(servers)));
}

void log_lines_explain(void) { atomic_store(&hang_ups, -HANG_UPS); }

static void wait_for_takers(void) {
    while (atomic_load(&takers) > 0)
        sched_yield();
}

void log_lines_to(struct queue *queue) {
    atomic_store(&receiver, queue);
    wait_for_takers();
}

void log_lines_stop(struct queue *queue) {
    if (atomic_compare_exchange_strong(&receiver, &queue, NULL))
        wait_for_takers();
}

static void push_line(struct queue *queue, const char *line) {
    struct event *ev = event_new(EVENT_LOG);
    const char *text = text_of(line);
    const char *cause = cause_of(text);
    char plain[LINE_MAX_BYTES];
    int length;

    if (!ev)
        return;
    copy_plain(text, plain, sizeof(plain));
    ev->level = level_of(line);
    ev->has_cause = *cause != '\0';
    ev->count = (size_t)atomic_exchange(&dropped, 0);
    length = asprintf(&ev->data, "%s%s", plain, cause);
    if (length == -1)
        ev->data = NULL;
    else
        ev->length = (size_t)length;
    queue_push(queue, ev);
}

void log_lines_take(const char *line) {
    struct queue *queue;

    count_round(line);
    atomic_fetch_add(&takers, 1);
    queue = atomic_load(&receiver);
    if (queue && may_pass())
        push_line(queue, line);
    atomic_fetch_sub(&takers, 1);
}

static ssize_t swallow(void *cookie, const char *text, size_t size) {
    (void)cookie;
    (void)text;
    return (ssize_t)size;
}

/* A stream without a file: there is no /dev/null after a chroot. */
FILE *log_lines_nowhere(void) {
    static FILE *nowhere; /* owned, for the life of the process */
    cookie_io_functions_t functions = {.write = swallow};

    if (!nowhere)
        nowhere = fopencookie(NULL, "w", functions);
    return nowhere;
}
