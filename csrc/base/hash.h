/* hash.h - numbers that tell texts apart: FNV-1a
 *
 * Good for spreading harmless texts and for detecting a damaged file. Anyone
 * can construct two texts with the same number.
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_BASE_HASH_H
#define CSRC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Returns the number of <text>, in 32 bits. Pure. */
uint32_t hash_text(const char *text);

/* Returns a number of <text> that cannot be predicted without <seed>: for
 * tables of texts that others choose. Pure. */
uint32_t hash_seeded(const char *text, uint64_t seed);

/* Returns the number of the <length> bytes at <bytes>, in 64 bits. Pure. */
uint64_t hash_bytes(const char *bytes, size_t length);

/* Returns the hash of what has the hash <hash> with <length> bytes behind it.
 * Pure. */
uint64_t hash_more(uint64_t hash, const char *bytes, size_t length);

#endif
