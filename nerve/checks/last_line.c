/* last_line.c - the last line of an output of any length
 * SPDX-License-Identifier: MIT
 */
#include "nerve/checks/last_line.h"

static void add_byte(struct last_line *l, char byte) {
    if (byte == '\n' || byte == '\r' || byte == '\0') {
        l->ended = true;
        return;
    }
    if (l->ended)
        l->length = 0;
    l->ended = false;
    if (l->length + 1 < sizeof(l->text))
        l->text[l->length++] = byte;
    l->text[l->length] = '\0';
}

void last_line_add(struct last_line *l, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        add_byte(l, bytes[i]);
}
