/* nearest.c - the word that somebody who misspelt one may have meant
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nerve/config/nearest.h"

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
