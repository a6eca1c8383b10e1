/* value.c - single values of a configuration, checked
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/config/nearest.h"
#include "nerve/config/read.h"
#include "nerve/config/value.h"

#define DAY_SECONDS 86400
#define SHOWN_MAX   60 /* characters of a wrong value that are shown */

/* Returns the dot between a place and a key, unless the place is the top. */
static const char *dot(const char *at) { return *at ? "." : ""; }

int value_wrong(const json_t *value, const char *at, const char *key,
                const char *right, struct error *err) {
    char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT |
                                        JSON_REAL_PRECISION(6));
    const char *cut = shown && strlen(shown) > SHOWN_MAX ? "..." : "";

    error_set(err, "%s%s%s: %.*s%s is not %s", at, dot(at), key, SHOWN_MAX,
              shown ? shown : "this", cut, right);
    free(shown);
    return -1;
}

/* Returns the member <key>, or NULL when it is absent or null. */
static const json_t *member(const json_t *from, const char *key) {
    const json_t *value = json_object_get(from, key);

    return json_is_null(value) ? NULL : value;
}

static const struct key *find_key(const struct key *keys, const char *name) {
    while (keys->name && strcmp(keys->name, name) != 0)
        keys++;
    return keys->name ? keys : NULL;
}

/* Returns the key that <name> may be meant to be, or NULL. */
static const char *nearest_key(const struct key *keys, const char *name) {
    size_t best = nearest_limit(name) + 1, distance;
    const char *nearest = NULL;

    for (; keys->name; keys++) {
        distance = nearest_distance(keys->name, name);
        if (keys->fate == KEY_IGNORED || distance >= best)
            continue;
        nearest = keys->name;
        best = distance;
    }
    return nearest;
}

static void note_unknown(struct config *config, const char *at,
                         const char *name, const char *nearest) {
    if (nearest)
        config_note(config, LEVEL_WARNING,
                    "%s%s%s: unknown key, ignored; did you mean \"%s\"?", at,
                    dot(at), name, nearest);
    else
        config_note(config, LEVEL_WARNING, "%s%s%s: unknown key, ignored", at,
                    dot(at), name);
}

void value_check_keys(struct config *config, const json_t *from, const char *at,
                      const struct key *keys) {
    const struct key *known;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)from, name, value) {
        known = find_key(keys, name);
        if (!known)
            note_unknown(config, at, name, nearest_key(keys, name));
        else if (known->fate == KEY_IGNORED)
            config_note(config, LEVEL_INFO,
                        "%s%s%s: this key of airbnb's nerve has no effect here",
                        at, dot(at), name);
    }
}

static bool is_printable(const char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

int value_string(const json_t *from, const char *at, const char *key,
                 char **out, struct error *err) {
    const json_t *value = member(from, key);
    const char *string = json_string_value(value);

    if (!value)
        return 0;
    if (!string || !*string || !is_printable(string))
        return value_wrong(value, at, key, "a string of one line, not empty",
                           err);
    *out = strdup(string);
    if (*out)
        return 0;
    error_set(err, "%s%s%s: out of memory", at, dot(at), key);
    return -1;
}

int value_required_string(const json_t *from, const char *at, const char *key,
                          const char *what, char **out, struct error *err) {
    if (member(from, key))
        return value_string(from, at, key, out, err);
    error_set(err, "%s%s%s: missing; it must be %s", at, dot(at), key, what);
    return -1;
}

/* Reads a whole number from 0, or such a number in digits. Returns it, or -1
 * when <value> is something else. */
static int64_t whole_number(const json_t *value) {
    const char *string = json_string_value(value);

    if (json_is_integer(value) && json_integer_value(value) >= 0)
        return json_integer_value(value);
    if (!string || !*string || strlen(string) > 18)
        return -1;
    if (string[strspn(string, "0123456789")] != '\0')
        return -1;
    return strtoll(string, NULL, 10);
}

int value_port(const json_t *from, const char *at, const char *key, int *out,
               struct error *err) {
    const json_t *value = member(from, key);
    int64_t port = whole_number(value);

    if (!value)
        return 0;
    if (port < 1 || port > 65535)
        return value_wrong(value, at, key, "a port (1 to 65535)", err);
    *out = (int)port;
    return 0;
}

int value_count(const json_t *from, const char *at, const char *key,
                unsigned int min, unsigned int max, unsigned int *out,
                struct error *err) {
    const json_t *value = member(from, key);
    json_int_t number = json_integer_value(value);
    char right[80];

    if (!value)
        return 0;
    snprintf(right, sizeof(right), "a whole number from %u to %u", min, max);
    if (!json_is_integer(value) || number < min || number > max)
        return value_wrong(value, at, key, right, err);
    *out = (unsigned int)number;
    return 0;
}

int value_seconds(const json_t *from, const char *at, const char *key,
                  unsigned int *out_ms, struct error *err) {
    const json_t *value = member(from, key);
    double seconds = json_number_value(value);

    if (!value)
        return 0;
    if (!json_is_number(value) || seconds < 0.001 || seconds > DAY_SECONDS)
        return value_wrong(value, at, key,
                           "a number of seconds (0.001 to 86400)", err);
    *out_ms = (unsigned int)lround(seconds * 1000);
    return 0;
}

int value_boolean(const json_t *from, const char *at, const char *key,
                  bool *out, struct error *err) {
    const json_t *value = member(from, key);

    if (!value)
        return 0;
    if (!json_is_boolean(value))
        return value_wrong(value, at, key, "true or false", err);
    *out = json_is_true(value);
    return 0;
}

int value_weight(const json_t *from, const char *at, const char *key,
                 int64_t *out, struct error *err) {
    const json_t *value = json_object_get(from, key);
    int64_t weight = whole_number(value);

    if (!value)
        return 0;
    if (weight < 0)
        return value_wrong(value, at, key, "a weight (a whole number from 0)",
                           err);
    *out = weight;
    return 0;
}

int value_object(const json_t *from, const char *at, const char *key,
                 const json_t **out, struct error *err) {
    const json_t *value = member(from, key);

    if (value && !json_is_object(value))
        return value_wrong(value, at, key, "an object ({...})", err);
    if (value)
        *out = value;
    return 0;
}

int value_list(const json_t *from, const char *at, const char *key,
               const json_t **out, struct error *err) {
    const json_t *value = member(from, key);

    if (value && !json_is_array(value))
        return value_wrong(value, at, key, "a list ([...])", err);
    if (value)
        *out = value;
    return 0;
}
