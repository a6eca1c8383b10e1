/* command.h - what is asked for over the control socket
 *
 * A request is one line of JSON: {"command": "disable", "service": "web",
 * "reason": "new disk", "for_ms": 1800000, "drain_ms": 20000}. Pure, but for
 * the memory.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_COMMAND_H
#define NERVE_OPERATOR_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nerve/operator/holds.h"
#include "nerve/services/health.h"

struct error;

#define CONTROL_AWAY_MS 3000 /* of trouble; then what is wanted is pending */

/* What is known of the service that was asked about. */
struct control_view {
    bool configured;
    bool disabled;
    bool settled;        /* ZooKeeper has confirmed what is wanted */
    bool connected;      /* to ZooKeeper */
    const char *refusal; /* why ZooKeeper does not have it, borrowed, or NULL */
    const char *path;    /* of its znode, borrowed, or NULL */
    enum health_state state;
    enum hold_kept kept;    /* the hold, in the file */
    const char *kept_error; /* why it is not, borrowed */
    int64_t waited_ms;      /* since it was asked for */
    int64_t troubled_ms;    /* since there is trouble; 0: there is none */
};

enum control_verdict {
    CONTROL_GO_ON = 0, /* there is no answer yet */
    CONTROL_DONE,
    CONTROL_PENDING, /* noted; ZooKeeper will get it later */
    CONTROL_FAILED
};

#define CONTROL_LINE_MAX 4096 /* bytes of a request */

#define CONTROL_DRAIN_MS 20000

#define CONTROL_WAIT_MS 60000

enum control_kind {
    CONTROL_STATUS = 0,
    CONTROL_DUMP,
    CONTROL_DISABLE,
    CONTROL_ENABLE,
    CONTROL_WEIGHT,
    CONTROL_WAIT,
    CONTROL_PASS,
    CONTROL_FAIL
};

struct control_command {
    enum control_kind kind;
    char *service;           /* owned; NULL for status and dump */
    char *reason;            /* owned, or NULL */
    int64_t for_ms;          /* until the hold ends by itself; 0: never */
    unsigned int drain_ms;   /* disable */
    int64_t weight;          /* weight */
    bool up;                 /* wait: for that; else for down */
    unsigned int timeout_ms; /* wait */
};

/* Reads a request of <length> bytes into <command>. Returns 0, or -1 with
 * <err>; control_command_close() cleans up after both. */
int control_command_read(struct control_command *command, const char *line,
                         size_t length, struct error *err);

/* Frees what <command> owns; it is zeroed afterwards. */
void control_command_close(struct control_command *command);

/* Tells whether there is trouble: nothing moves until it ends. */
bool control_is_troubled(const struct control_view *view);

/* Decides about a <command> that changes something, or waits. */
enum control_verdict control_judge(const struct control_command *command,
                                   const struct control_view *view);

/* Says the verdict for people into <text>. */
void control_say(const struct control_command *command,
                 const struct control_view *view, enum control_verdict verdict,
                 char *text, size_t size);

/* Returns the word that programs know a verdict by, static. */
const char *control_verdict_name(enum control_verdict verdict);

#endif
