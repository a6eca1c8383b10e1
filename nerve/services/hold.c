/* hold.c - what an operator has ordered for a service: out, or another weight
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"
#include "nerve/config/reader.h"
#include "nerve/config/value.h"
#include "nerve/services/hold.h"

#define VERSION_KEPT 1    /* version of the text that keeps the holds */
#define STEP_MS      1000 /* of a clock that was set; less is inaccuracy */

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
    size_t after;

    if (!place)
        return false;
    after = (size_t)(holds->list + holds->count - place) - 1;
    hold_close(place);
    memmove(place, place + 1, after * sizeof(*place));
    holds->count--;
    return true;
}

/* A hold of another boot: if the clock is before the time at which it was kept,
 * the clock is wrong. */
static void settle(struct hold *hold, int64_t wall_ms, int64_t boot_ms) {
    int64_t left_ms = hold->until_ms - wall_ms;

    hold->ends_ms = boot_ms + (left_ms > 0 ? left_ms : 0);
}

/* The end that people see follows the clock that they see. */
static void follow(struct hold *hold, int64_t wall_ms, int64_t boot_ms) {
    int64_t until_ms = wall_ms + hold->ends_ms - boot_ms;

    if (llabs(until_ms - hold->until_ms) > STEP_MS)
        hold->until_ms = until_ms;
}

const struct hold *holds_expired(struct holds *holds, int64_t wall_ms,
                                 int64_t boot_ms) {
    int64_t least_ms = holds->seen_ms > wall_ms ? holds->seen_ms : wall_ms;
    const struct hold *over = NULL;
    bool settled = true;

    for (size_t i = 0; i < holds->count; i++) {
        struct hold *hold = &holds->list[i];

        if (!hold->until_ms)
            continue;
        if (!hold->ends_ms && boot_ms >= HOLD_SETTLED_MS)
            settle(hold, least_ms, boot_ms);
        if (!hold->ends_ms)
            settled = false;
        else if (hold->ends_ms <= boot_ms)
            over = hold;
        else
            follow(hold, wall_ms, boot_ms);
    }
    if (settled)
        holds->seen_ms = wall_ms;
    return over;
}

json_t *hold_json(const struct hold *hold) {
    json_t *json = json_pack(
        "{s:s, s:b, s:I, s:I, s:s, s:I, s:I}", "service", hold->service, "out",
        hold->out, "weight", (json_int_t)hold->weight, "drain_ms",
        (json_int_t)hold->drain_ms, "author", hold->author, "since_ms",
        (json_int_t)hold->since_ms, "until_ms", (json_int_t)hold->until_ms);

    if (json && hold->ends_ms &&
        json_object_set_new(json, "ends_ms", json_integer(hold->ends_ms)) !=
            0) {
        json_decref(json);
        return NULL;
    }

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
    all = json_pack("{s:i, s:s, s:I, s:o}", "version", VERSION_KEPT, "boot",
                    holds->boot, "seen_ms", (json_int_t)holds->seen_ms, "holds",
                    list);
    if (complete && all)
        text = json_dumps(all, JSON_INDENT(2));
    json_decref(all);
    return text;
}

/* Reads a time in milliseconds since the epoch, or 0. */
static void read_moment(struct reader *r, const json_t *json, const char *key,
                        int64_t *out) {
    const json_t *value = json_object_get(json, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        value_wrong(r, value, key, "a moment (milliseconds since the epoch)");
    else
        *out = json_integer_value(value);
}

static void read_hold(struct reader *r, const json_t *json, struct hold *hold) {
    if (!json_is_object(json)) {
        reader_fail(r, NULL, "must be an object ({...})");
        return;
    }
    value_required_string(r, json, "service", "a service's name",
                          &hold->service);
    value_boolean(r, json, "out", &hold->out);
    value_weight(r, json, "weight", &hold->weight);
    value_count(r, json, "drain_ms", 0, HOLD_DRAIN_MAX_MS, &hold->drain_ms);
    value_string(r, json, "reason", &hold->reason);
    value_required_string(r, json, "author", "a user's name", &hold->author);
    read_moment(r, json, "since_ms", &hold->since_ms);
    read_moment(r, json, "until_ms", &hold->until_ms);
    if (json_object_get(json,
                        "ends_ms")) /* without them an older nerve kept it */
        read_moment(r, json, "ends_ms", &hold->ends_ms);
}

/* After another boot, the text's times since the boot mean nothing here. */
static void read_boot(struct holds *holds, const json_t *all) {
    const char *boot = json_string_value(json_object_get(all, "boot"));
    bool same = boot && *boot && strcmp(boot, holds->boot) == 0;

    holds->seen_ms = json_integer_value(json_object_get(all, "seen_ms"));
    for (size_t i = 0; !same && i < holds->count; i++)
        holds->list[i].ends_ms = 0;
}

static int read_all(struct holds *holds, const json_t *all, struct error *err) {
    const json_t *list = json_object_get(all, "holds");
    json_int_t version = json_integer_value(json_object_get(all, "version"));
    struct reader r = {.err = err};

    if (version != VERSION_KEPT || !json_is_array(list)) {
        error_set(err, "no holds of version %d", VERSION_KEPT);
        return -1;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct hold hold = {0};
        size_t entered = reader_enter(&r, "holds[%zu]", i);

        read_hold(&r, json_array_get(list, i), &hold);
        if (r.errors == 0 && holds_put(holds, &hold) != 0)
            reader_no_memory(&r, NULL);
        if (r.errors) {
            hold_close(&hold);
            return -1;
        }
        reader_leave(&r, entered);
    }
    read_boot(holds, all);
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
