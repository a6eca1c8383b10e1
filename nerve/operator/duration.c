/* duration.c - lengths of time as people write them: 90, 20s, 30m, 2h, 7d
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nerve/operator/duration.h"

#define DIGITS_MAX 10

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
             {"s", 1000},     {"ms", 1},      {"", 1000}};
#define UNITS 6

int duration_read(const char *text, int64_t *ms) {
    size_t digits = strspn(text, "0123456789"), i = 0;
    int64_t number;

    if (digits == 0 || digits > DIGITS_MAX)
        return -1;
    while (i < UNITS && strcmp(text + digits, units[i].name) != 0)
        i++;
    number = strtoll(text, NULL, 10);
    if (i == UNITS || number > DURATION_MAX_MS / units[i].ms)
        return -1;
    *ms = number * units[i].ms;
    return 0;
}

void duration_write(int64_t ms, char *text, size_t size) {
    size_t i = 0;
    int64_t rest;

    if (ms < 1000) {
        snprintf(text, size, "%" PRId64 "ms", ms > 0 ? ms : 0);
        return;
    }
    while (ms < units[i].ms)
        i++;
    rest = ms % units[i].ms / units[i + 1].ms;
    if (units[i].ms > 1000 && rest > 0)
        snprintf(text, size, "%" PRId64 "%s%" PRId64 "%s", ms / units[i].ms,
                 units[i].name, rest, units[i + 1].name);
    else
        snprintf(text, size, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}
