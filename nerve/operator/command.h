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

struct error;

#define CONTROL_LINE_MAX 4096 /* bytes of a request */
#define CONTROL_DRAIN_MS 20000
#define CONTROL_WAIT_MS  60000

enum control_kind {
    CONTROL_STATUS = 0,
    CONTROL_DUMP,
    CONTROL_DISABLE,
    CONTROL_ENABLE,
    CONTROL_WEIGHT,
    CONTROL_WAIT
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

#endif
