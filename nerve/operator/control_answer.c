/* control_answer.c - when a request has its answer, and what that says
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "nerve/operator/control_answer.h"
#include "nerve/operator/duration.h"

bool control_is_troubled(const struct control_view *view) {
    return !view->settled && (!view->connected || view->blocked ||
                              view->refusal || view->state == HEALTH_UNKNOWN);
}

static enum control_verdict judge_wait(const struct control_command *command,
                                       const struct control_view *view) {
    if (view->settled && (view->path != NULL) == command->up)
        return CONTROL_DONE;
    return view->waited_ms < command->timeout_ms ? CONTROL_GO_ON
                                                 : CONTROL_FAILED;
}

enum control_verdict control_judge(const struct control_command *command,
                                   const struct control_view *view) {
    bool over = view->settled || !view->configured ||
                view->troubled_ms >= CONTROL_AWAY_MS;

    if (command->kind == CONTROL_WAIT)
        return view->configured ? judge_wait(command, view) : CONTROL_FAILED;
    if (!over || view->kept == HOLD_BEING_KEPT)
        return CONTROL_GO_ON;
    if (view->kept == HOLD_NOT_KEPT)
        return CONTROL_FAILED;
    return view->settled || !view->configured ? CONTROL_DONE : CONTROL_PENDING;
}

const char *control_verdict_name(enum control_verdict verdict) {
    static const char *const names[] = {"", "done", "pending", "failed"};

    return names[verdict];
}

/* What keeps ZooKeeper from having what is wanted. */
static const char *obstacle(const struct control_view *view) {
    if (!view->connected)
        return "ZooKeeper is away; it is told when it is back";
    if (view->refusal)
        return view->refusal;
    if (view->blocked)
        return "another session's znode is in the way";
    if (view->state == HEALTH_UNKNOWN)
        return "it was not checked yet";
    return "ZooKeeper has not confirmed it yet";
}

/* What the service is now. */
static const char *standing(const struct control_view *view) {
    if (!view->configured)
        return "not configured";
    if (view->path)
        return view->path;
    if (view->disabled)
        return "not registered, for it is disabled";
    return view->state == HEALTH_UP
               ? "not registered"
               : "not registered, for its checks do not say up";
}

static void say_wait(const struct control_command *command,
                     const struct control_view *view,
                     enum control_verdict verdict, char *text, size_t size) {
    const char *wanted = command->up ? "up" : "down";
    char time[40];

    duration_write(view->waited_ms, time, sizeof(time));
    if (!view->configured)
        snprintf(text, size, "no such service");
    else if (verdict == CONTROL_DONE)
        snprintf(text, size, "%s: %s", wanted, standing(view));
    else
        snprintf(text, size, "not %s within %s: %s", wanted, time,
                 view->settled ? standing(view) : obstacle(view));
}

void control_say(const struct control_command *command,
                 const struct control_view *view, enum control_verdict verdict,
                 char *text, size_t size) {
    char change[60] = "enabled";

    if (command->kind == CONTROL_WAIT) {
        say_wait(command, view, verdict, text, size);
        return;
    }
    if (command->kind == CONTROL_DISABLE)
        snprintf(change, sizeof(change), "disabled");
    else if (command->kind == CONTROL_WEIGHT)
        snprintf(change, sizeof(change), "weight %lld",
                 (long long)command->weight);
    if (view->kept == HOLD_NOT_KEPT)
        snprintf(text, size,
                 "%s until nerve restarts, for the file of holds cannot be "
                 "written: %s",
                 change, view->kept_error);
    else if (verdict == CONTROL_PENDING)
        snprintf(text, size, "%s, but not confirmed: %s", change,
                 obstacle(view));
    else
        snprintf(text, size, "%s: %s", change, standing(view));
}
