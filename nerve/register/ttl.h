/* ttl.h - when a persistent znode is written again, to tell it is still wanted
 *
 * Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_TTL_H
#define NERVE_REGISTER_TTL_H

#include <stdbool.h>
#include <stdint.h>

struct ttl { /* zeroed to start with */
    int64_t due_ms;
};

/* Tells whether a write is due, and sets the time of the next one: <every_ms>
 * later. The first ones of many instances are spread by their <text>. */
bool ttl_is_due(struct ttl *t, unsigned int every_ms, const char *text,
                int64_t now_ms);

#endif
