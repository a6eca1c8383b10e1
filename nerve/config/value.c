/* value.c - single values of a configuration, checked
 *
 * What is published is written as Ruby's JSON.generate writes it; jansson's own
 * writer differs in numbers (0.1 would come out with 17 digits) and in the case
 * of \u001f.
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/model.h"
#include "nerve/config/value.h"

#define LETTERS_MAX 64

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* The table's rows are the beginnings of <a>, its columns those of <b>; of the
 * rows only the last three are looked at again. */
size_t nearest_distance(const char *a, const char *b) {
    size_t rows = strlen(a), columns = strlen(b);
    size_t table[3][LETTERS_MAX + 1];

    if (rows > LETTERS_MAX || columns > LETTERS_MAX)
        return LETTERS_MAX;
    for (size_t j = 0; j <= columns; j++)
        table[0][j] = j;
    for (size_t i = 1; i <= rows; i++) {
        size_t *row = table[i % 3], *above = table[(i - 1) % 3];
        const size_t *second = table[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            row[j] = least(above[j], row[j - 1]) + 1;
            row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return table[rows % 3][columns];
}

size_t nearest_limit(const char *word) {
    size_t third = strlen(word) / 3;

    return third ? third : 1;
}

/* Writes the digits of <number> (above 0), as few as still mean the same
 * number, into <digits>. Returns the power of ten of the first one. */
static int shortest_digits(double number, char digits[32]) {
    char out[40];
    char *mark;
    int precision = 0;

    do
        snprintf(out, sizeof(out), "%.*e", precision, number);
    while (strtod(out, NULL) != number && ++precision < 17);
    mark = strchr(out, 'e');
    digits[0] = out[0];
    memcpy(digits + 1, out + 2, precision ? (size_t)precision : 0);
    digits[1 + precision] = '\0';
    return atoi(mark + 1);
}

/* Ruby: 100.0, 0.0001 and 1.0e+16, 1.0e-05 beyond. */
static void add_real(struct text *t, double number) {
    static const char zeros[] = "0000000000000000";
    char digits[32] = "0";
    int power = 0, count;

    if (signbit(number))
        text_puts(t, "-");
    if (number != 0)
        power = shortest_digits(fabs(number), digits);
    count = (int)strlen(digits);
    if (power < -4 || power > 15)
        text_printf(t, "%c.%se%+03d", digits[0], count > 1 ? digits + 1 : "0",
                    power);
    else if (power < 0)
        text_printf(t, "0.%.*s%s", -power - 1, zeros, digits);
    else if (count <= power + 1)
        text_printf(t, "%s%.*s.0", digits, power + 1 - count, zeros);
    else
        text_printf(t, "%.*s.%s", power + 1, digits, digits + power + 1);
}

static void add_value(struct text *t, const json_t *value);

static void add_list(struct text *t, const json_t *list) {
    text_puts(t, "[");
    for (size_t i = 0; i < json_array_size(list); i++) {
        text_puts(t, i ? "," : "");
        add_value(t, json_array_get(list, i));
    }
    text_puts(t, "]");
}

static void add_object(struct text *t, const json_t *object) {
    const char *name, *comma = "";
    json_t *value;

    text_puts(t, "{");
    json_object_foreach((json_t *)object, name, value) {
        text_puts(t, comma);
        text_json(t, name, strlen(name));
        text_puts(t, ":");
        add_value(t, value);
        comma = ",";
    }
    text_puts(t, "}");
}

/* Recursion is bounded: jansson refuses input deeper than 2,048. */
static void add_value(struct text *t, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(t, value);
        break;
    case JSON_ARRAY:
        add_list(t, value);
        break;
    case JSON_STRING:
        text_json(t, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        text_printf(t, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        add_real(t, json_real_value(value));
        break;
    case JSON_TRUE:
        text_puts(t, "true");
        break;
    case JSON_FALSE:
        text_puts(t, "false");
        break;
    case JSON_NULL:
        text_puts(t, "null");
        break;
    }
}

char *json_text(const json_t *value) {
    struct text t = {0};

    add_value(&t, value);
    return text_take(&t);
}

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
