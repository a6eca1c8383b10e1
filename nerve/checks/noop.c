/* noop.c - always passes
 * SPDX-License-Identifier: MIT
 */
#include "nerve/checks/check_type.h"

static int open_noop(struct check *c) {
    (void)c;
    return 0;
}

static void attempt_noop(struct check *c, const struct addrinfo *address) {
    (void)address;
    check_attempt_ended(c, true, NULL);
}

static void do_nothing(struct check *c) { (void)c; }

const struct check_type check_noop = {
    .size = sizeof(struct check),
    .no_host = true,
    .open = open_noop,
    .attempt = attempt_noop,
    .cancel = do_nothing,
    .close = do_nothing,
};
