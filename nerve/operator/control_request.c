/* control_request.c - one request of an operator, from the line to the answer
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/base/clock.h"
#include "csrc/base/error.h"
#include "csrc/zookeeper/session.h"
#include "nerve/config/read.h"
#include "nerve/log.h"
#include "nerve/operator/control.h"
#include "nerve/operator/control_answer.h"
#include "nerve/operator/control_client.h"
#include "nerve/operator/control_request.h"
#include "nerve/operator/holds.h"
#include "nerve/operator/status.h"
#include "nerve/register/reporter.h"
#include "nerve/services/service.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"

#define PATIENCE_MS 10000 /* for the request, and for taking the answer */

struct control_request {
    struct control_env env;
    struct control_client *client; /* owned */
    struct control_command command;
    bool waits;          /* for something, then the answer comes */
    bool gone;           /* nobody is there any more */
    uint32_t write;      /* its number, of the store; 0: none */
    uint64_t since_ms;   /* of what is waited for */
    uint64_t trouble_ms; /* since when there is trouble; 0: there is none */
};

static void answer(struct control_request *r, enum control_verdict verdict,
                   const char *text, json_t *more) {
    const char *service = r->command.service;
    json_t *line = json_pack("{s:s}", "result", control_verdict_name(verdict));

    if (text && service)
        json_object_set_new(line, "message",
                            json_sprintf("%s: %s", service, text));
    else if (text)
        json_object_set_new(line, "message", json_string(text));
    if (more)
        json_object_update(line, more);
    json_decref(more);
    r->waits = false;
    r->since_ms = uv_now(r->env.loop);
    control_client_send(r->client, line);
    control_client_end(r->client);
}

static void refuse(struct control_request *r, const char *why) {
    answer(r, CONTROL_FAILED, why, NULL);
}

static void add_service(struct control_view *view, const struct service *s) {
    const struct reporter *reporter = s->reporter;

    view->settled = view->settled && reporter_is_settled(reporter);
    if (!view->path)
        view->path = reporter_path(reporter);
    if (!s->watcher)
        return;
    view->configured = true;
    view->connected = reporter_is_connected(reporter);
    view->blocked = reporter_is_blocked(reporter);
    view->refusal = reporter_error(reporter)
                        ? session_strerror(reporter_error(reporter))
                        : NULL;
    view->state = watcher_state(s->watcher);
}

/* What is known of the service; while it moves to another registration it runs
 * twice. */
static struct control_view look(struct control_request *r) {
    uint64_t now = uv_now(r->env.loop);
    const struct hold *hold =
        holds_find(&r->env.store->holds, r->command.service);
    struct control_view view = {
        .settled = true, .disabled = hold && hold->out, .kept = HOLD_KEPT};
    const struct service *s;
    int error;

    for (size_t i = 0; (s = roster_service(r->env.roster, i)); i++)
        if (strcmp(s->config->name, r->command.service) == 0)
            add_service(&view, s);
    if (r->write)
        view.kept = hold_store_kept(r->env.store, r->write, &error);
    if (view.kept == HOLD_NOT_KEPT)
        view.kept_error = strerror(error);
    if (!control_is_troubled(&view))
        r->trouble_ms = 0;
    else if (!r->trouble_ms)
        r->trouble_ms = now;
    view.troubled_ms = r->trouble_ms ? (int64_t)(now - r->trouble_ms) : 0;
    view.waited_ms = (int64_t)(now - r->since_ms);
    return view;
}

/* The reason and the times of a hold that begins now. Returns 0, or -1 without
 * memory. */
static int fill_hold(struct hold *hold, const struct control_request *r) {
    const struct control_command *command = &r->command;

    hold->out = command->kind == CONTROL_DISABLE;
    hold->weight = hold->out ? 0 : command->weight;
    hold->drain_ms = command->drain_ms;
    hold->since_ms = clock_wall_ms();
    hold->until_ms = command->for_ms ? hold->since_ms + command->for_ms : 0;
    hold->service = strdup(command->service);
    hold->author = strdup(control_client_user(r->client));
    if (command->reason)
        hold->reason = strdup(command->reason);
    return hold->service && hold->author && (!command->reason || hold->reason)
               ? 0
               : -1;
}

/* Carries out what the holds say now, and waits for that. */
static void apply(struct control_request *r) {
    r->write = hold_store_write(r->env.store);
    roster_use_holds(r->env.roster);
    r->waits = true;
}

static void begin_hold(struct control_request *r) {
    const struct control_command *command = &r->command;
    const struct hold *before =
        holds_find(&r->env.store->holds, command->service);
    struct hold hold = {0};

    if (command->kind == CONTROL_WEIGHT && before && before->out) {
        refuse(r, "it is disabled; enable it first");
        return;
    }
    if (fill_hold(&hold, r) != 0 ||
        holds_put(&r->env.store->holds, &hold) != 0) {
        hold_close(&hold);
        refuse(r, "out of memory");
        return;
    }
    if (command->kind == CONTROL_DISABLE)
        log_line(r->env.log, LEVEL_WARNING, "%s: disabled by %s: %s",
                 command->service, control_client_user(r->client),
                 command->reason);
    else
        log_line(r->env.log, LEVEL_INFO, "%s: weight %lld by %s",
                 command->service, (long long)command->weight,
                 control_client_user(r->client));
    apply(r);
}

static void end_hold(struct control_request *r) {
    const char *service = r->command.service;

    if (!holds_end(&r->env.store->holds, service)) {
        r->waits = true;
        return;
    }
    log_line(r->env.log, LEVEL_INFO, "%s: enabled by %s", service,
             control_client_user(r->client));
    apply(r);
}

static void carry_out(struct control_request *r) {
    const struct holds *holds = &r->env.store->holds;
    const struct roster *roster = r->env.roster;
    const char *service = r->command.service;

    if (service && !look(r).configured &&
        (r->command.kind != CONTROL_ENABLE || !holds_find(holds, service))) {
        refuse(r, "no such service");
        return;
    }
    switch (r->command.kind) {
    case CONTROL_STATUS:
        answer(r, CONTROL_DONE, NULL,
               json_pack("{s:o}", "status", status_json(roster, holds)));
        break;
    case CONTROL_DUMP:
        answer(r, CONTROL_DONE, NULL,
               json_pack("{s:o}", "dump", status_dump(roster, holds)));
        break;
    case CONTROL_DISABLE:
    case CONTROL_WEIGHT:
        begin_hold(r);
        break;
    case CONTROL_ENABLE:
        end_hold(r);
        break;
    case CONTROL_WAIT:
        r->waits = true;
        break;
    }
}

static void on_asked(void *arg, const char *line, size_t length) {
    struct control_request *r = arg;
    struct error err = {0};

    r->since_ms = uv_now(r->env.loop);
    if (!line)
        error_set(&err, "a request has at most %d bytes", CONTROL_LINE_MAX);
    if (!line || control_command_read(&r->command, line, length, &err) != 0) {
        control_command_close(&r->command);
        refuse(r, err.text);
        return;
    }
    carry_out(r);
}

static void on_gone(void *arg) {
    struct control_request *r = arg;

    r->gone = true;
}

struct control_request *control_request_new(uv_stream_t *server,
                                            const struct control_env *env) {
    struct control_request *r = calloc(1, sizeof(*r));
    struct control_client_env client = {
        .loop = env->loop, .asked = on_asked, .gone = on_gone, .arg = r};

    if (r)
        r->client = control_client_accept(server, &client);
    if (!r || !r->client) {
        free(r);
        return NULL;
    }
    r->env = *env;
    r->since_ms = uv_now(env->loop);
    return r;
}

bool control_request_advance(struct control_request *r) {
    enum control_verdict verdict;
    struct control_view view;
    char text[600];

    if (r->gone)
        return false;
    if (!r->waits)
        return uv_now(r->env.loop) - r->since_ms < PATIENCE_MS;
    view = look(r);
    verdict = control_judge(&r->command, &view);
    if (verdict == CONTROL_GO_ON)
        return true;
    control_say(&r->command, &view, verdict, text, sizeof(text));
    answer(r, verdict, text, NULL);
    return true;
}

void control_request_close(struct control_request *r) {
    control_client_close(r->client);
    control_command_close(&r->command);
    free(r);
}
