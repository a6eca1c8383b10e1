/* text.c - a string that grows
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/text.h"

/* Makes room for <more> bytes and a NUL. */
static bool reserve(struct text *t, size_t more) {
    size_t needed = t->length + more + 1;
    size_t size = t->size ? t->size : 64;
    char *data;

    if (t->failed || needed <= t->size)
        return !t->failed;
    while (size < needed)
        size *= 2;
    data = realloc(t->data, size);
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->size = size;
    return true;
}

void text_add(struct text *t, const char *bytes, size_t length) {
    if (!reserve(t, length))
        return;
    memcpy(t->data + t->length, bytes, length);
    t->length += length;
    t->data[t->length] = '\0';
}

void text_puts(struct text *t, const char *string) {
    text_add(t, string, strlen(string));
}

void text_printf(struct text *t, const char *format, ...) {
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(t, (size_t)length))
        return;
    va_start(args, format);
    vsnprintf(t->data + t->length, (size_t)length + 1, format, args);
    va_end(args);
    t->length += (size_t)length;
}

/* Appends one byte of a JSON string. */
static void add_json_byte(struct text *t, char byte) {
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letter[] = "\"\\bfnrt";
    const char *found = byte ? strchr(plain, byte) : NULL;

    if (found)
        text_printf(t, "\\%c", letter[found - plain]);
    else if ((unsigned char)byte < 0x20)
        text_printf(t, "\\u%04x", (unsigned int)(unsigned char)byte);
    else
        text_add(t, &byte, 1);
}

void text_json(struct text *t, const char *bytes, size_t length) {
    text_add(t, "\"", 1);
    for (size_t i = 0; i < length; i++)
        add_json_byte(t, bytes[i]);
    text_add(t, "\"", 1);
}

char *text_take(struct text *t) {
    char *data = NULL;

    text_add(t, "", 0);
    if (t->failed)
        free(t->data);
    else
        data = t->data;
    memset(t, 0, sizeof(*t));
    return data;
}

void text_close(struct text *t) {
    free(t->data);
    memset(t, 0, sizeof(*t));
}
