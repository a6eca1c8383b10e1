/* json_text.c - a JSON value as Ruby's JSON.generate writes it
 *
 * jansson's own writer differs in numbers (0.1 would come out with 17 digits)
 * and in the case of \u001f.
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/text.h"
#include "nerve/config/json_text.h"

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
