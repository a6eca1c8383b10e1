/* nearest.h - the word that somebody who misspelt one may have meant
 *
 * Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_NEAREST_H
#define NERVE_CONFIG_NEAREST_H

#include <stddef.h>

/* Returns how many letters must be added, left out, replaced, or swapped with
 * the next one, to make <a> of <b>; at least 64 where one of them is longer
 * than that. */
size_t nearest_distance(const char *a, const char *b);

/* Tells how far a word may be from <word> to be meant by it: a third of its
 * letters, but for the shortest words one. */
size_t nearest_limit(const char *word);

#endif
