/* hosts.c - the list of an ensemble's servers, as the client library wants it
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/zookeeper/hosts.h"

char *hosts_copy(const char *hosts) {
    const char *from = hosts;
    char *copy = strdup(hosts);
    char *to = copy;

    if (!copy)
        return NULL;
    for (; *from && *from != '/'; from++)
        if (*from != '[' && *from != ']')
            *to++ = *from;
    strcpy(to, from);
    return copy;
}

static void reverse(char *from, char *to) {
    while (from < to) {
        char swap = *from;

        *from++ = *--to;
        *to = swap;
    }
}

/* "a,b,c" with both parts reversed is "a,c,b"; reversed as a whole "b,c,a". */
void hosts_rotate(char *hosts) {
    char *end = hosts + strcspn(hosts, "/");
    char *comma = memchr(hosts, ',', (size_t)(end - hosts));

    if (!comma)
        return;
    reverse(hosts, comma);
    reverse(comma + 1, end);
    reverse(hosts, end);
}
