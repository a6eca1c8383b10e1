/* hash.c - numbers that tell texts apart: FNV-1a
 * SPDX-License-Identifier: MIT
 */
#include "csrc/base/hash.h"

uint32_t hash_text(const char *text) {
    uint32_t hash = UINT32_C(0x811c9dc5);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT32_C(0x01000193);
    return hash;
}

uint32_t hash_seeded(const char *text, uint64_t seed) {
    uint64_t hash = seed;

    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

uint64_t hash_bytes(const char *bytes, size_t length) {
    return hash_more(UINT64_C(0xcbf29ce484222325), bytes, length);
}

uint64_t hash_more(uint64_t hash, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}
