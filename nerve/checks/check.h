/* check.h - one way of testing an instance: a result and a reason, no policy
 *
 * A check that overruns its timeout has failed. If this process lacks something
 * (descriptors, memory, processes, a name server that answers), that says
 * nothing about the instance: the result is "not tried". Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_CHECK_H
#define NERVE_CHECKS_CHECK_H

#include <uv.h>

struct check;
struct check_config;
struct children;
struct curl_loop;
struct hearing;
struct lateness;
struct push_report;
struct statsd;
struct untried;

enum check_result { CHECK_PASSED = 0, CHECK_FAILED, CHECK_NOT_TRIED };

/* What a check needs. */
struct check_env {
    uv_loop_t *loop;                  /* borrowed */
    struct curl_loop *curl;           /* borrowed */
    struct children *children;        /* borrowed; programs */
    struct lateness *late;            /* borrowed; of all checks */
    struct untried *untried;          /* borrowed; of all checks */
    struct statsd *statsd;            /* borrowed, or NULL */
    struct hearing *hearing;          /* borrowed; of all push checks */
    const struct push_report *report; /* borrowed; of a push check's service */
};

/* Called with the result; <reason> says why it did not pass, borrowed during
 * the call. */
typedef void check_done_fn(void *arg, enum check_result result,
                           const char *reason);

/* Returns a check of <config>, or NULL without memory. Keeps <config>, what is
 * in <env>, and <arg> borrowed until check_close(). */
struct check *check_open(const struct check_env *env,
                         const struct check_config *config, check_done_fn *done,
                         void *arg);

/* Runs the check once. Calls <done> once, maybe before it returns. The check
 * must not be running. */
void check_start(struct check *c);

/* Stops the check if it is running; <done> is not called for it. */
void check_stop(struct check *c);

/* Ends and frees <c>, in a later turn of the loop; <done> is not called any
 * more. NULL is allowed. */
void check_close(struct check *c);

#endif
