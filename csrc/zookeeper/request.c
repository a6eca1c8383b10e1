/* request.c - one asynchronous request, from the call to its reply
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "csrc/zookeeper/request.h"

static struct event *prepare(const struct request *r, uint64_t number) {
    struct event *ev = event_new(EVENT_REPLY);

    if (!ev)
        return NULL;
    ev->op = r->op;
    ev->request = number;
    ev->asked_us = ev->time_us;
    ev->path = strdup(r->path);
    if (!ev->path) {
        event_free(ev);
        return NULL;
    }
    return ev;
}

static int copy_data(struct request *r, const char *data, size_t length) {
    if (!data)
        return 0;
    r->data = malloc(length + 1);
    if (!r->data)
        return -1;
    memcpy(r->data, data, length);
    r->data[length] = '\0';
    r->length = length;
    return 0;
}

struct request *request_new(enum event_op op, uint64_t number, const char *path,
                            const char *data, size_t length) {
    struct request *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->op = op;
    r->path = strdup(path);
    if (!r->path || copy_data(r, data, length) != 0)
        goto fail;
    r->reply = prepare(r, number);
    r->lost = prepare(r, number);
    if (!r->reply || !r->lost)
        goto fail;
    return r;

fail:
    request_free(r);
    return NULL;
}

void request_free(struct request *r) {
    if (!r)
        return;
    event_free(r->reply);
    event_free(r->lost);
    free(r->path);
    free(r->data);
    free(r);
}

void request_append(struct request_list *list, struct request *r) {
    r->prev = list->tail;
    r->next = NULL;
    if (list->tail)
        list->tail->next = r;
    else
        list->head = r;
    list->tail = r;
    list->count++;
}

void request_remove(struct request_list *list, struct request *r) {
    if (r->prev)
        r->prev->next = r->next;
    else
        list->head = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        list->tail = r->prev;
    r->prev = NULL;
    r->next = NULL;
    list->count--;
}
