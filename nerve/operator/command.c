/* command.c - what is asked for over the control socket
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/checks/push.h"
#include "nerve/config/reader.h"
#include "nerve/config/value.h"
#include "nerve/operator/command.h"
#include "nerve/operator/duration.h"
#include "nerve/operator/holds.h"
#include "nerve/services/health.h"
#include "nerve/services/hold.h"

bool control_is_troubled(const struct control_view *view) {
    return !view->settled &&
           (!view->connected || view->refusal || view->state == HEALTH_UNKNOWN);
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

#define OBSTACLE_MAX 400

/* Writes what keeps ZooKeeper from having what is wanted. */
static void say_obstacle(const struct control_view *view, char *text,
                         size_t size) {
    const char *cause = view->refusal ? view->refusal : "";

    if (!view->connected)
        snprintf(text, size,
                 "ZooKeeper is away%s%s; it is told when it is back",
                 *cause ? ": " : "", cause);
    else if (*cause)
        snprintf(text, size, "%s", cause);
    else if (view->state == HEALTH_UNKNOWN)
        snprintf(text, size, "it was not checked yet");
    else
        snprintf(text, size, "ZooKeeper has not confirmed it yet");
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
    char time[40], obstacle[OBSTACLE_MAX];

    duration_write(view->waited_ms, time, sizeof(time));
    if (!view->configured)
        snprintf(text, size, "no such service");
    else if (verdict == CONTROL_DONE)
        snprintf(text, size, "%s: %s", wanted, standing(view));
    else {
        say_obstacle(view, obstacle, sizeof(obstacle));
        snprintf(text, size, "not %s within %s: %s", wanted, time,
                 view->settled ? standing(view) : obstacle);
    }
}

void control_say(const struct control_command *command,
                 const struct control_view *view, enum control_verdict verdict,
                 char *text, size_t size) {
    char change[60] = "enabled", obstacle[OBSTACLE_MAX];

    if (command->kind == CONTROL_WAIT) {
        say_wait(command, view, verdict, text, size);
        return;
    }
    if (command->kind == CONTROL_DISABLE)
        snprintf(change, sizeof(change), "disabled");
    else if (command->kind == CONTROL_WEIGHT)
        snprintf(change, sizeof(change), "weight %lld",
                 (long long)command->weight);
    say_obstacle(view, obstacle, sizeof(obstacle));
    if (view->kept == HOLD_NOT_KEPT)
        snprintf(text, size,
                 "%s until nerve restarts, for the file of holds cannot be "
                 "written: %s",
                 change, view->kept_error);
    else if (verdict == CONTROL_PENDING)
        snprintf(text, size, "%s, but not confirmed: %s", change, obstacle);
    else
        snprintf(text, size, "%s: %s", change, standing(view));
}

#define REASON_MAX 256

_Static_assert(REASON_MAX <= PUSH_REASON_MAX,
               "a report's reason is kept whole");
#define KEYS_MAX 5

static const struct {
    const char *name;
    const char *keys[KEYS_MAX + 1]; /* those that it may have */
} commands[] = {
    [CONTROL_STATUS] = {"status", {NULL}},
    [CONTROL_DUMP] = {"dump", {NULL}},
    [CONTROL_DISABLE] = {"disable",
                         {"service", "reason", "for_ms", "drain_ms", NULL}},
    [CONTROL_ENABLE] = {"enable", {"service", NULL}},
    [CONTROL_WEIGHT] = {"weight",
                        {"service", "weight", "reason", "for_ms", NULL}},
    [CONTROL_WAIT] = {"wait", {"service", "up", "timeout_ms", NULL}},
    [CONTROL_PASS] = {"pass", {"service", NULL}},
    [CONTROL_FAIL] = {"fail", {"service", "reason", NULL}},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static bool has_key(enum control_kind kind, const char *name) {
    const char *const *keys = commands[kind].keys;

    while (*keys && strcmp(*keys, name) != 0)
        keys++;
    return *keys != NULL || strcmp(name, "command") == 0;
}

static int read_kind(enum control_kind *kind, const json_t *json,
                     struct error *err) {
    const json_t *value = json_object_get(json, "command");
    const char *name = json_string_value(value);
    size_t i = 0;

    while (name && i < COMMANDS && strcmp(commands[i].name, name) != 0)
        i++;
    *kind = (enum control_kind)i;
    if (name && i < COMMANDS)
        return 0;
    error_set(err, "command: must be one of status, dump, disable, enable, "
                   "weight, wait, pass, fail");
    return -1;
}

static int check_keys(enum control_kind kind, const json_t *json,
                      struct error *err) {
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)json, name, value) {
        if (has_key(kind, name))
            continue;
        error_set(err, "%.60s: no key of %s", name, commands[kind].name);
        return -1;
    }
    return 0;
}

/* A reason is shown in one line of a table. */
static void check_reason(struct reader *r,
                         const struct control_command *command) {
    if (command->kind == CONTROL_DISABLE && !command->reason)
        reader_fail(r, "reason",
                    "missing; it must say why, for those who find the service "
                    "disabled");
    if (command->reason && strlen(command->reason) > REASON_MAX)
        reader_fail(r, "reason", "longer than %d bytes", REASON_MAX);
}

/* Milliseconds from <min>. Absent, <out> stays as it is. */
static void read_ms(struct reader *r, const json_t *json, const char *key,
                    int64_t min, int64_t max, int64_t *out) {
    const json_t *value = json_object_get(json, key);
    json_int_t number = json_integer_value(value);
    char right[80];

    snprintf(right, sizeof(right), "milliseconds (%lld to %lld)",
             (long long)min, (long long)max);
    if (value && (!json_is_integer(value) || number < min || number > max))
        value_wrong(r, value, key, right);
    else if (value)
        *out = number;
}

static void read_times(struct reader *r, const json_t *json,
                       struct control_command *command) {
    int64_t drain_ms = CONTROL_DRAIN_MS, timeout_ms = CONTROL_WAIT_MS;

    read_ms(r, json, "for_ms", 1, DURATION_MAX_MS, &command->for_ms);
    read_ms(r, json, "drain_ms", 0, HOLD_DRAIN_MAX_MS, &drain_ms);
    read_ms(r, json, "timeout_ms", 0, HOLD_DRAIN_MAX_MS, &timeout_ms);
    command->drain_ms = (unsigned int)drain_ms;
    command->timeout_ms = (unsigned int)timeout_ms;
}

static int read_rest(struct control_command *command, const json_t *json,
                     struct error *err) {
    struct reader r = {.err = err};

    command->weight = -1;
    command->up = true;
    if (has_key(command->kind, "service"))
        value_required_string(&r, json, "service", "a service's name",
                              &command->service);
    value_string(&r, json, "reason", &command->reason);
    check_reason(&r, command);
    value_weight(&r, json, "weight", &command->weight);
    value_boolean(&r, json, "up", &command->up);
    read_times(&r, json, command);
    if (command->kind == CONTROL_WEIGHT && command->weight < 0)
        reader_fail(&r, "weight", "missing; it must be a whole number from 0");
    return r.errors ? -1 : 0;
}

int control_command_read(struct control_command *command, const char *line,
                         size_t length, struct error *err) {
    json_error_t wrong;
    json_t *json = json_loadb(line, length, JSON_REJECT_DUPLICATES, &wrong);
    int status = -1;

    memset(command, 0, sizeof(*command));
    if (!json)
        error_set(err, "a request must be JSON: %s", wrong.text);
    else if (!json_is_object(json))
        error_set(err, "a request must be an object ({...})");
    else if (read_kind(&command->kind, json, err) == 0 &&
             check_keys(command->kind, json, err) == 0)
        status = read_rest(command, json, err);
    json_decref(json);
    return status;
}

void control_command_close(struct control_command *command) {
    free(command->service);
    free(command->reason);
    memset(command, 0, sizeof(*command));
}
