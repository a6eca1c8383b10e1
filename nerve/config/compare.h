/* compare.h - what a new configuration makes of the services that run
 *
 * Services are told apart by their registration, not by their name: a service
 * that is renamed stays registered. Pure.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_COMPARE_H
#define NERVE_CONFIG_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

struct service_config;

/* What becomes of one that runs. */
struct config_fate {
    enum {
        FATE_REMOVED = 0,
        FATE_KEPT,    /* service <by> of the new ones is registered the same */
        FATE_REPLACED /* service <by> has its name, but not its registration */
    } kind;
    size_t by;
};

/* Finds the fate of each of <running>, <count> of them, where <next>, of
 * <next_count>, are to run; the new ones that keep none are to be added. */
void config_compare(const struct service_config *const *running, size_t count,
                    const struct service_config *next, size_t next_count,
                    struct config_fate *fates);

/* Tells whether <a> and <b> are checked alike. */
bool config_same_checks(const struct service_config *a,
                        const struct service_config *b);

/* Tells whether the znodes of <a> and <b> hold the same data. */
bool config_same_payload(const struct service_config *a,
                         const struct service_config *b);

/* Tells whether <a> and <b> are one service, unchanged. */
bool config_same_service(const struct service_config *a,
                         const struct service_config *b);

#endif
