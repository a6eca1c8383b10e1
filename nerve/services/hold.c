/* hold.c - what an operator has said of a service: out, or another weight
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"
#include "nerve/config/value.h"
#include "nerve/services/hold.h"

#define VERSION_KEPT 1 /* of the text that holds are kept as */

void hold_close(struct hold *hold) {
    free(hold->service);
    free(hold->reason);
    free(hold->author);
    memset(hold, 0, sizeof(*hold));
}

void holds_close(struct holds *holds) {
    while (holds->count)
        hold_close(&holds->list[--holds->count]);
    free(holds->list);
    holds->list = NULL;
}

static struct hold *find(const struct holds *holds, const char *service) {
    for (size_t i = 0; i < holds->count; i++)
        if (strcmp(holds->list[i].service, service) == 0)
            return &holds->list[i];
    return NULL;
}

const struct hold *holds_find(const struct holds *holds, const char *service) {
    return find(holds, service);
}

int holds_put(struct holds *holds, struct hold *hold) {
    struct hold *place = find(holds, hold->service);
    struct hold *list = holds->list;

    if (place) {
        hold_close(place);
    } else {
        list = realloc(list, (holds->count + 1) * sizeof(*list));
        if (!list)
            return -1;
        holds->list = list;
        place = &list[holds->count++];
    }
    *place = *hold;
    memset(hold, 0, sizeof(*hold));
    return 0;
}

bool holds_end(struct holds *holds, const char *service) {
    struct hold *place = find(holds, service);
    struct hold *last = holds->list + holds->count - 1;

    if (!place)
        return false;
    hold_close(place);
    memmove(place, place + 1, (size_t)(last - place) * sizeof(*place));
    holds->count--;
    return true;
}

const struct hold *holds_expired(const struct holds *holds, int64_t now_ms) {
    for (size_t i = 0; i < holds->count; i++)
        if (holds->list[i].until_ms && holds->list[i].until_ms <= now_ms)
            return &holds->list[i];
    return NULL;
}

json_t *hold_json(const struct hold *hold) {
    json_t *json = json_pack(
        "{s:s, s:b, s:I, s:I, s:s, s:I, s:I}", "service", hold->service, "out",
        hold->out, "weight", (json_int_t)hold->weight, "drain_ms",
        (json_int_t)hold->drain_ms, "author", hold->author, "since_ms",
        (json_int_t)hold->since_ms, "until_ms", (json_int_t)hold->until_ms);

    if (json && hold->reason &&
        json_object_set_new(json, "reason", json_string(hold->reason)) != 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

char *holds_encode(const struct holds *holds) {
    json_t *list = json_array(), *all;
    bool complete = list != NULL;
    char *text = NULL;

    for (size_t i = 0; complete && i < holds->count; i++)
        complete = json_array_append_new(list, hold_json(&holds->list[i])) == 0;
    all = json_pack("{s:i, s:o}", "version", VERSION_KEPT, "holds", list);
    if (complete && all)
        text = json_dumps(all, JSON_INDENT(2));
    json_decref(all);
    return text;
}

/* A moment, in milliseconds since the epoch, or 0. */
static int read_moment(const json_t *json, const char *at, const char *key,
                       int64_t *out, struct error *err) {
    const json_t *value = json_object_get(json, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return value_wrong(value, at, key,
                           "a moment (milliseconds since the epoch)", err);
    *out = json_integer_value(value);
    return 0;
}

static int read_hold(struct hold *hold, const json_t *json, const char *at,
                     struct error *err) {
    if (!json_is_object(json)) {
        error_set(err, "%s: must be an object ({...})", at);
        return -1;
    }
    if (value_required_string(json, at, "service", "a service's name",
                              &hold->service, err) != 0 ||
        value_boolean(json, at, "out", &hold->out, err) != 0 ||
        value_weight(json, at, "weight", &hold->weight, err) != 0 ||
        value_count(json, at, "drain_ms", 0, HOLD_DRAIN_MAX_MS, &hold->drain_ms,
                    err) != 0 ||
        value_string(json, at, "reason", &hold->reason, err) != 0 ||
        value_required_string(json, at, "author", "a user's name",
                              &hold->author, err) != 0 ||
        read_moment(json, at, "since_ms", &hold->since_ms, err) != 0)
        return -1;
    return read_moment(json, at, "until_ms", &hold->until_ms, err);
}

static int read_all(struct holds *holds, const json_t *all, struct error *err) {
    const json_t *list = json_object_get(all, "holds");
    json_int_t version = json_integer_value(json_object_get(all, "version"));
    char at[40];

    if (version != VERSION_KEPT || !json_is_array(list)) {
        error_set(err, "no holds of version %d", VERSION_KEPT);
        return -1;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct hold hold = {0};

        snprintf(at, sizeof(at), "holds[%zu]", i);
        if (read_hold(&hold, json_array_get(list, i), at, err) != 0 ||
            holds_put(holds, &hold) != 0) {
            error_set(err, "%s: out of memory", at);
            hold_close(&hold);
            return -1;
        }
    }
    return 0;
}

int holds_decode(struct holds *holds, const char *text, size_t length,
                 struct error *err) {
    json_t *all = config_text_read(text, length, err);
    int status = all ? read_all(holds, all, err) : -1;

    json_decref(all);
    if (status != 0)
        holds_close(holds);
    return status;
}
