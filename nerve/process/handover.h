/* handover.h - what nerve knows, as bytes for the process that takes its place
 *
 * The sessions, the services with their znodes, and where their checks stand.
 * The bytes are JSON with a number for their format. Pure: no I/O, no clock.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_PROCESS_HANDOVER_H
#define NERVE_PROCESS_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "csrc/zookeeper/session.h"
#include "nerve/register/plan.h"
#include "nerve/services/standing.h"

struct error;
struct holds;
struct service_config;

struct handover_session {
    const char *ensemble; /* borrowed; zk_hosts */
    int session_timeout_ms;
    const char *hosts; /* borrowed; the numeric addresses in use */
    struct session_identity identity;
};

struct handover_service {
    struct service_config *config; /* what it ran as, without its checks */
    struct registration known; /* of it: <wanted>, <unsettled>, the znodes */
    bool told;                 /* what is wanted */
    bool leaving;              /* its checks have ended for good */
    struct standing standing;  /* unless it is leaving */
};

/* What was handed over. Owns all that is in it; what another takes is set to
 * zero. */
struct handover {
    struct handover_session *sessions;
    size_t session_count;
    struct handover_service *services;
    size_t service_count;
    const char *holds; /* borrowed; holds_encode() wrote it */
    json_t *json;      /* holds the strings of <sessions>, and <holds> */
};

/* Returns the beginning of what is to be handed over, owned by the caller
 * (json_decref()), or NULL without memory. */
json_t *handover_begin(void);

/* Add to <all>; everything stays the caller's. Return 0, or -1 without memory.
 */
int handover_add_holds(json_t *all, const struct holds *holds);
int handover_add_session(json_t *all, const struct handover_session *session);
int handover_add_service(json_t *all, const struct handover_service *service);

/* Reads <bytes>, <length> of them. Returns what they say, owned by the caller,
 * or NULL with <err>: they are of another format, or damaged. */
struct handover *handover_read(const char *bytes, size_t length,
                               struct error *err);

/* Frees <h>. NULL is allowed. */
void handover_free(struct handover *h);

#endif
