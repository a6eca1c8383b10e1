/* error.c - what went wrong, in words that name the place
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>

#include "csrc/base/error.h"

void error_set(struct error *err, const char *format, ...) {
    va_list args;

    if (!err || err->text[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
}
