/* request.h - one asynchronous request, from the call to its reply
 * SPDX-License-Identifier: MIT
 */
#ifndef CSRC_ZOOKEEPER_REQUEST_H
#define CSRC_ZOOKEEPER_REQUEST_H

#include "csrc/base/event.h"

struct handle;

struct request {
    struct request *prev;  /* borrowed */
    struct request *next;  /* borrowed */
    struct handle *handle; /* borrowed; NULL until it is sent */
    struct event *reply;   /* owned; NULL once the answer was pushed */
    struct event *lost;    /* owned; the reply when the handle goes first */
    int64_t sent_us;       /* when it was given to the library */
    enum event_op op;
    bool watch;    /* reads */
    char *path;    /* owned; for OP_ADD_AUTH the scheme */
    char *data;    /* owned, or NULL */
    size_t length; /* bytes of <data> */
    int mode;      /* OP_CREATE: enum create_mode */
    int version;   /* OP_SET, OP_DELETE */
};

/* A list of requests in order; zeroed is empty. */
struct request_list {
    struct request *head;
    struct request *tail;
    size_t count;
};

/* Returns a request with its replies prepared, so that an answer never fails
 * for want of memory, owned by the caller; NULL without memory. <number> 0:
 * nobody waits for the reply. */
struct request *request_new(enum event_op op, uint64_t number, const char *path,
                            const char *data, size_t length);

/* Frees <r> and what it still owns. NULL is allowed. */
void request_free(struct request *r);

/* Appends <r>, which is in no list. */
void request_append(struct request_list *list, struct request *r);

/* Takes <r> out of <list>, which it is in. */
void request_remove(struct request_list *list, struct request *r);

#endif
