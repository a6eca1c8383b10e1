/* error.h - what went wrong, in words that name the place
 *
 * The caller owns the struct and starts it zeroed; the first error stands.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_ERROR_H
#define CSRC_BASE_ERROR_H

struct error {
    char text[512]; /* "" while there is none */
};

/* Writes the formatted text into <err>, cut at its size, unless <err> holds
 * one already or is NULL. Any thread; <err> belongs to the caller alone. */
void error_set(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
