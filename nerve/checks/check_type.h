/* check_type.h - what each type of check gives, and has
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_CHECK_TYPE_H
#define NERVE_CHECKS_CHECK_TYPE_H

#include <stdbool.h>

#include "nerve/checks/check.h"

struct addrinfo;
struct lookup;

/* The functions of one type. Every attempt is at one address, or at none where
 * the type has no use for one; it ends in check_attempt_ended(), unless
 * <cancel> ends it. */
struct check_type {
    size_t size;  /* of the struct that begins with a struct check */
    bool no_host; /* nothing is looked up; <address> is NULL */
    int (*open)(struct check *c); /* 0, or -1 without memory */
    void (*attempt)(struct check *c, const struct addrinfo *address);
    void (*cancel)(struct check *c); /* the attempt under way */
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
    bool extended;                  /* it was put off already */
    const struct addrinfo *address; /* borrowed; of the attempt under way */
    bool under_way;                 /* an attempt is */
    bool running;
};

extern const struct check_type check_tcp;
extern const struct check_type check_http;
extern const struct check_type check_grpc;
extern const struct check_type check_exec;
extern const struct check_type check_noop;
extern const struct check_type check_push;

/* Tells what an attempt has come to that ended with <error>, a number of the
 * system's: it failed, or it was not tried, for this process lacks something.
 * Pure. */
enum check_result check_result_of(int error);

/* The attempt under way ended with <result>; <reason> says why, unless it
 * passed. */
void check_attempt_ended(struct check *c, enum check_result result,
                         const char *reason);

/* The attempt could not connect, for <error>, a number of the system's, or 0:
 * the host's next address is tried, if it has one and that can be tried. */
void check_attempt_refused(struct check *c, int error, const char *reason);

/* Tells whether the socket <fd> is connected with itself: where nobody listens
 * the system may give this end the very port that it connects to. Such a
 * connection leaves nothing behind that would keep a service from using its
 * own port for a minute. */
bool check_is_with_itself(int fd);

#endif
