/* credentials.c - what a session shows to the servers, again on each handle
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/zookeeper/credentials.h"

struct credentials *credentials_add(struct credentials **list,
                                    const char *scheme, const char *secret,
                                    size_t length) {
    struct credentials *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->scheme = strdup(scheme);
    c->secret = malloc(length + 1);
    if (!c->scheme || !c->secret) {
        free(c->scheme);
        free(c->secret);
        free(c);
        return NULL;
    }
    memcpy(c->secret, secret, length);
    c->secret[length] = '\0';
    c->length = length;
    while (*list)
        list = &(*list)->next;
    *list = c;
    return c;
}

void credentials_free(struct credentials *list) {
    while (list) {
        struct credentials *c = list;

        list = c->next;
        explicit_bzero(c->secret, c->length);
        free(c->secret);
        free(c->scheme);
        free(c);
    }
}
