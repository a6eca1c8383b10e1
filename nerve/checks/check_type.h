/* check_type.h - what each type of check provides, and what it can use
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_CHECK_TYPE_H
#define NERVE_CHECKS_CHECK_TYPE_H

#include <stdbool.h>

#include "nerve/checks/check.h"

struct addrinfo;
struct lookup;

/* The functions of one type. Each attempt is at one address, or at none if the
 * type needs no address. It ends with check_attempt_ended(), unless <cancel>
 * ends it. */
struct check_type {
    size_t size;  /* of the struct that begins with a struct check */
    bool no_host; /* nothing is looked up; <address> is NULL */
    int (*open)(struct check *c); /* 0, or -1 without memory */
    void (*attempt)(struct check *c, const struct addrinfo *address);
    void (*cancel)(struct check *c); /* stops the attempt */
    void (*close)(struct check *c);  /* frees what <open> made */
};

/* What all checks have: the first member of each type's struct. */
struct check {
    const struct check_type *type;
    const struct check_config *config; /* borrowed */
    struct check_env env;
    check_done_fn *done;
    void *arg;             /* borrowed */
    struct lookup *lookup; /* owned, or NULL */
    uv_timer_t deadline;
    uint64_t due_ms;                /* when it is */
    bool extended;                  /* it was extended already */
    const struct addrinfo *address; /* borrowed; of the attempt under way */
    bool under_way;                 /* an attempt is in progress */
    bool running;
};

extern const struct check_type check_tcp;
extern const struct check_type check_http;
extern const struct check_type check_grpc;
extern const struct check_type check_exec;
extern const struct check_type check_noop;
extern const struct check_type check_push;

/* Returns the result of an attempt that ended with the errno <error>: it
 * failed, or it was not tried, because this process lacks something. Pure. */
enum check_result check_result_of(int error);

/* The attempt has ended with <result>; <reason> says why, unless it passed. */
void check_attempt_ended(struct check *c, enum check_result result,
                         const char *reason);

/* The attempt could not connect, because of the errno <error>, or 0. Tries the
 * host's next address, if there is one and trying makes sense. */
void check_attempt_refused(struct check *c, int error, const char *reason);

/* Tells whether the socket <fd> is connected to itself. If nothing listens on a
 * port, the kernel may choose that same port to connect from. Such a connection
 * is then closed so that its remains do not keep the service from using the
 * port for a minute. */
bool check_is_with_itself(int fd);

#endif
