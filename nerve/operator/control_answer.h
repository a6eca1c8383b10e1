/* control_answer.h - when a request has its answer, and what that says
 *
 * Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_CONTROL_ANSWER_H
#define NERVE_OPERATOR_CONTROL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nerve/operator/command.h"
#include "nerve/operator/holds.h"
#include "nerve/services/health.h"

#define CONTROL_AWAY_MS 3000 /* of trouble; then what is wanted is pending */

/* What is known of the service that was asked about. */
struct control_view {
    bool configured;
    bool disabled;
    bool settled;        /* ZooKeeper has confirmed what is wanted */
    bool connected;      /* to ZooKeeper */
    bool blocked;        /* another session's znode is in the way */
    const char *refusal; /* ZooKeeper's words, borrowed, or NULL */
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
