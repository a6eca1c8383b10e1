/* lateness.c - counts the passes that do not start when they should
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nerve/services/lateness.h"

#define LATE_MS  50 /* less is nobody's trouble */
#define QUIET_MS 60000

void lateness_started(struct lateness *l, uint64_t late_ms) {
    histogram_add(&l->starts, late_ms * 1000);
    if (late_ms < LATE_MS)
        return;
    l->passes.late++;
    if (late_ms > l->passes.worst_ms)
        l->passes.worst_ms = late_ms;
}

void lateness_left_out(struct lateness *l) {
    l->passes.left_out++;
    l->left_out++;
}

bool lateness_tell(struct lateness *l, uint64_t now_ms,
                   struct late_passes *passes) {
    if (l->passes.late == 0 && l->passes.left_out == 0)
        return false;
    if (now_ms < l->quiet_until_ms)
        return false;
    *passes = l->passes;
    memset(&l->passes, 0, sizeof(l->passes));
    l->quiet_until_ms = now_ms + QUIET_MS;
    return true;
}
