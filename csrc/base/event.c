/* event.c - something that happened, as an owned copy
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "csrc/base/clock.h"
#include "csrc/base/event.h"

struct event *event_new(enum event_type type) {
    struct event *ev = calloc(1, sizeof(*ev));

    if (!ev)
        return NULL;
    ev->type = type;
    ev->time_us = clock_us();
    return ev;
}

void event_free(struct event *ev) {
    if (!ev)
        return;
    free(ev->children);
    free(ev->data);
    free(ev->missing);
    free(ev->path);
    free(ev);
}
