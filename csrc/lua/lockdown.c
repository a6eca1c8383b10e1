/* lockdown.c - forbids this process to start other processes
 *
 * A seccomp filter on all threads, which nothing can remove. Threads may still
 * be started, by clone with CLONE_THREAD. A filter cannot see the flags of
 * clone3, because they are in memory. So clone3 fails with ENOSYS, and glibc
 * uses clone instead.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>

#include "csrc/lua/module.h"

static int add_rules(scmp_filter_ctx filter) {
    static const int forbidden[] = {SCMP_SYS(execve), SCMP_SYS(execveat),
                                    SCMP_SYS(fork), SCMP_SYS(vfork)};
    const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);
    int rc = seccomp_rule_add(
        filter, eperm, SCMP_SYS(clone), 1,
        SCMP_A0(SCMP_CMP_MASKED_EQ, (scmp_datum_t)CLONE_THREAD, 0));

    for (size_t i = 0; rc == 0 && i < sizeof(forbidden) / sizeof(int); i++)
        rc = seccomp_rule_add(filter, eperm, forbidden[i], 0);
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3),
                              0);
    return rc;
}

/* Returns 0 or a negative errno. */
static int lock_all_threads(void) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int rc;

    if (!filter)
        return -ENOMEM;
    rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (rc == 0)
        rc = add_rules(filter);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc;
}

/***
Forbids all threads of this process to start another process or program:
execve, execveat, fork, vfork and clone fail with EPERM. Nothing can undo it.
@function zookeeper.lockdown
@treturn boolean true
@treturn[2] nil
@treturn[2] string why
@treturn[2] integer errno
*/
int lua_zk_lockdown(lua_State *L) {
    int rc = lock_all_threads();

    if (rc != 0) {
        errno = -rc;
        return lua_zk_errno(L, "seccomp");
    }
    lua_pushboolean(L, 1);
    return 1;
}
