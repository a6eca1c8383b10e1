/* ttl.c - when a persistent znode is written again, to tell it is still wanted
 * SPDX-License-Identifier: MIT
 */
#include "nerve/register/ttl.h"
#include "csrc/base/hash.h"

bool ttl_is_due(struct ttl *t, unsigned int every_ms, const char *text,
                int64_t now_ms) {
    if (!t->due_ms)
        t->due_ms = now_ms + 1 + hash_text(text) % every_ms;
    if (now_ms < t->due_ms)
        return false;
    t->due_ms = now_ms + every_ms;
    return true;
}
