/* credentials.h - what a session shows to the servers, again on each handle
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_CREDENTIALS_H
#define CSRC_ZOOKEEPER_CREDENTIALS_H

#include <stddef.h>
#include <stdint.h>

struct credentials {
    struct credentials *next; /* owned */
    char *scheme;             /* owned */
    char *secret;             /* owned */
    size_t length;            /* bytes of <secret> */
    uint32_t generation;      /* of the handle that was given them, or 0 */
};

/* Appends copies of <scheme> and <secret> to <list>. Returns the new entry,
 * borrowed until credentials_free(), or NULL without memory. */
struct credentials *credentials_add(struct credentials **list,
                                    const char *scheme, const char *secret,
                                    size_t length);

/* Wipes and frees all of <list>. NULL is allowed. */
void credentials_free(struct credentials *list);

#endif
