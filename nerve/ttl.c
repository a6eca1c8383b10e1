/* ttl.c - when a persistent znode is written again, to tell it is still wanted
 * SPDX-License-Identifier: MIT
 */
#include "nerve/ttl.h"

/* FNV-1a: any texts that differ are spread well enough. */
static uint32_t hash(const char *text) {
    uint32_t sum = 2166136261U;

    for (; *text; text++)
        sum = (sum ^ (unsigned char)*text) * 16777619U;
    return sum;
}

bool ttl_is_due(struct ttl *t, unsigned int every_ms, const char *text,
                int64_t now_ms) {
    if (!t->due_ms)
        t->due_ms = now_ms + 1 + hash(text) % every_ms;
    if (now_ms < t->due_ms)
        return false;
    t->due_ms = now_ms + every_ms;
    return true;
}
