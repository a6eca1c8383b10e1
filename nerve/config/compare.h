/* compare.h - what a new configuration means for the services that run
 *
 * A service is known by its registration, not by its name: a service that is
 * renamed stays registered. Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_COMPARE_H
#define NERVE_CONFIG_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

struct service_config;

/* What happens to a service that runs. */
struct config_outcome {
    enum {
        OUTCOME_REMOVED = 0,
        OUTCOME_KEPT,    /* the new service <by> has its registration */
        OUTCOME_REPLACED /* the new service <by> has only its name */
    } kind;
    size_t by;
};

/* Finds what becomes of each of the <count> services in <running> when the
 * <next_count> services in <next> are to run. A service in <next> that keeps
 * none of <running> is to be added. */
void config_compare(const struct service_config *const *running, size_t count,
                    const struct service_config *next, size_t next_count,
                    struct config_outcome *outcomes);

/* Tells whether <a> and <b> have the same checks. */
bool config_same_checks(const struct service_config *a,
                        const struct service_config *b);

/* Tells whether the znodes of <a> and <b> hold the same data. */
bool config_same_payload(const struct service_config *a,
                         const struct service_config *b);

/* Tells whether <a> and <b> are one service, unchanged. */
bool config_same_service(const struct service_config *a,
                         const struct service_config *b);

#endif
