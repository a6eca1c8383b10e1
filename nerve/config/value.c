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

#include "csrc/base/text.h"
#include "nerve/config/fields.h"
#include "nerve/config/reader.h"
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

void value_wrong(struct reader *r, const json_t *value, const char *key,
                 const char *right) {
    char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT |
                                        JSON_REAL_PRECISION(6));
    const char *cut = shown && strlen(shown) > SHOWN_MAX ? "..." : "";

    reader_fail(r, key, "%.*s%s is not %s", SHOWN_MAX, shown ? shown : "this",
                cut, right);
    free(shown);
}

/* Returns the member <key>, or NULL when it is absent or null. */
static const json_t *member(const json_t *json, const char *key) {
    const json_t *value = json_object_get(json, key);

    return json_is_null(value) ? NULL : value;
}

static const struct field *find_key(const struct field *fields,
                                    unsigned int types, const char *name) {
    for (; fields->key; fields++)
        if (field_is_key(fields) && field_is_of(fields, types) &&
            strcmp(fields->key, name) == 0)
            return fields;
    return NULL;
}

/* Returns the key that <name> may be meant to be, or NULL. */
static const char *nearest_key(const struct field *fields, unsigned int types,
                               const char *name) {
    size_t best = nearest_limit(name) + 1, distance;
    const char *nearest = NULL;

    for (; fields->key; fields++) {
        if (!field_is_key(fields) || !field_is_of(fields, types) ||
            fields->kind == FIELD_IGNORED)
            continue;
        distance = nearest_distance(fields->key, name);
        if (distance >= best)
            continue;
        nearest = fields->key;
        best = distance;
    }
    return nearest;
}

void value_check_keys(struct reader *r, const json_t *json,
                      const struct field *fields, unsigned int types) {
    const struct field *known;
    const char *name, *nearest;
    json_t *value;

    json_object_foreach((json_t *)json, name, value) {
        known = find_key(fields, types, name);
        nearest = known ? NULL : nearest_key(fields, types, name);
        if (nearest)
            reader_note(r, LEVEL_WARNING, name,
                        "unknown key, ignored; did you mean \"%s\"?", nearest);
        else if (!known)
            reader_note(r, LEVEL_WARNING, name, "unknown key, ignored");
        else if (known->kind == FIELD_IGNORED)
            reader_note(
                r, LEVEL_INFO, name,
                "this key of airbnb's nerve or of its tools has no effect "
                "here");
    }
}

static bool is_printable(const char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

/* Copies <string> to <out>. */
static void copy_string(struct reader *r, const char *key, const char *string,
                        char **out) {
    char *copy = strdup(string);

    if (copy)
        *out = copy;
    else
        reader_no_memory(r, key);
}

void value_string(struct reader *r, const json_t *json, const char *key,
                  char **out) {
    const json_t *value = member(json, key);
    const char *string = json_string_value(value);

    if (value && (!string || !*string || !is_printable(string)))
        value_wrong(r, value, key, "a string of one line, not empty");
    else if (value)
        copy_string(r, key, string, out);
}

void value_required_string(struct reader *r, const json_t *json,
                           const char *key, const char *what, char **out) {
    if (member(json, key))
        value_string(r, json, key, out);
    else
        reader_fail(r, key, "missing; it must be %s", what);
}

/* A string of any characters. */
static void value_text(struct reader *r, const json_t *json, const char *key,
                       char **out) {
    const json_t *value = member(json, key);
    const char *string = json_string_value(value);

    if (value && (!string || !*string))
        value_wrong(r, value, key, "a string, not empty");
    else if (value)
        copy_string(r, key, string, out);
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

void value_port(struct reader *r, const json_t *json, const char *key,
                int *out) {
    const json_t *value = member(json, key);
    int64_t port = whole_number(value);

    if (value && (port < 1 || port > 65535))
        value_wrong(r, value, key, "a port (1 to 65535)");
    else if (value)
        *out = (int)port;
}

static bool is_decimal(const char *text) {
    size_t whole, part = 0;

    text += *text == '-';
    whole = strspn(text, "0123456789");
    text += whole;
    if (*text == '.') {
        part = strspn(++text, "0123456789");
        whole = part;
        text += part;
    }
    return whole > 0 && *text == '\0';
}

/* Returns a number, which may stand in a string: Puppet, Chef and Ansible often
 * write "3" for 3, and airbnb's programs take it. NAN: <value> is none. */
static double number_of(const json_t *value) {
    const char *string = json_string_value(value);

    if (json_is_number(value))
        return json_number_value(value);
    return string && is_decimal(string) ? strtod(string, NULL) : NAN;
}

void value_count(struct reader *r, const json_t *json, const char *key,
                 unsigned int min, unsigned int max, unsigned int *out) {
    const json_t *value = member(json, key);
    double number = number_of(value);
    char right[80];

    snprintf(right, sizeof(right), "a whole number from %u to %u", min, max);
    if (value && !(number >= min && number <= max && number == floor(number)))
        value_wrong(r, value, key, right);
    else if (value)
        *out = (unsigned int)number;
}

/* A number from <min>. */
static void value_number(struct reader *r, const json_t *json, const char *key,
                         double min, double *out) {
    const json_t *value = member(json, key);
    char right[40];

    snprintf(right, sizeof(right), "a number from %g", min);
    if (value && !(number_of(value) >= min))
        value_wrong(r, value, key, right);
    else if (value)
        *out = number_of(value);
}

void value_seconds(struct reader *r, const json_t *json, const char *key,
                   unsigned int *out_ms) {
    const json_t *value = member(json, key);
    double seconds = number_of(value);

    if (value && !(seconds >= 0.001 && seconds <= DAY_SECONDS))
        value_wrong(r, value, key, "a number of seconds (0.001 to 86400)");
    else if (value)
        *out_ms = (unsigned int)lround(seconds * 1000);
}

void value_boolean(struct reader *r, const json_t *json, const char *key,
                   bool *out) {
    const json_t *value = member(json, key);

    if (value && !json_is_boolean(value))
        value_wrong(r, value, key, "true or false");
    else if (value)
        *out = json_is_true(value);
}

void value_weight(struct reader *r, const json_t *json, const char *key,
                  int64_t *out) {
    const json_t *value = json_object_get(json, key);
    int64_t weight = whole_number(value);

    if (value && weight < 0)
        value_wrong(r, value, key, "a weight (a whole number from 0)");
    else if (value)
        *out = weight;
}

const json_t *value_object(struct reader *r, const json_t *json,
                           const char *key) {
    const json_t *value = member(json, key);

    if (!value || json_is_object(value))
        return value;
    if (json_is_array(value) && json_array_size(value) == 0)
        return NULL;
    value_wrong(r, value, key, "an object ({...})");
    return NULL;
}

const json_t *value_list(struct reader *r, const json_t *json,
                         const char *key) {
    const json_t *value = member(json, key);

    if (!value || json_is_array(value))
        return value;
    value_wrong(r, value, key, "a list ([...])");
    return NULL;
}

static void read_field(struct reader *r, const json_t *json,
                       const struct field *field, void *out) {
    switch (field->kind) {
    case FIELD_STRING:
        if (field->required)
            value_required_string(r, json, field->key, field->required, out);
        else
            value_string(r, json, field->key, out);
        break;
    case FIELD_TEXT:
        value_text(r, json, field->key, out);
        break;
    case FIELD_PORT:
        value_port(r, json, field->key, out);
        break;
    case FIELD_COUNT:
        value_count(r, json, field->key, (unsigned int)field->min,
                    (unsigned int)field->max, out);
        break;
    case FIELD_SECONDS:
        value_seconds(r, json, field->key, out);
        break;
    case FIELD_BOOLEAN:
        value_boolean(r, json, field->key, out);
        break;
    case FIELD_NUMBER:
        value_number(r, json, field->key, field->min, out);
        break;
    default:
        break; /* read elsewhere, or not at all */
    }
}

void value_fields(struct reader *r, const json_t *json,
                  const struct field *fields, unsigned int types, void *base) {
    for (; fields->key; fields++)
        if (field_is_of(fields, types))
            read_field(r, json, fields, field_of(fields, base));
}
