/* handover.h - what nerve knows, as bytes for the process that takes its place
 *
 * The sessions, the services with their znodes, and the state of their checks.
 * The bytes are JSON that begins with the number of its format. Pure: no I/O,
 * no clock.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_PROCESS_HANDOVER_H
#define NERVE_PROCESS_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct holds;
struct json_t;
struct saved_service;
struct saved_session;

/* What was handed over. Owns everything in it; a function that takes a part
 * sets it to zero. */
struct handover {
    struct saved_session *sessions;
    size_t session_count;
    struct saved_service *services;
    size_t service_count;
    const char *holds;   /* borrowed; holds_encode() wrote it */
    struct json_t *json; /* holds the strings of <sessions>, and <holds> */
};

/* Begins what is to be handed over. Returns it, owned by the caller until
 * handover_end(), or NULL without memory. */
struct json_t *handover_begin(void);

/* These add to <all>, and take nothing. They return 0, or -1 without memory. */
int handover_add_holds(struct json_t *all, const struct holds *holds);
int handover_add_session(struct json_t *all,
                         const struct saved_session *session);
int handover_add_service(struct json_t *all,
                         const struct saved_service *service);

/* Returns <all> as a NUL-terminated text, owned by the caller (free()), or NULL
 * without memory. */
char *handover_text(const struct json_t *all);

/* Frees <all>. NULL is allowed. */
void handover_end(struct json_t *all);

/* Reads the <length> <bytes>. Returns what they say, owned by the caller, or
 * NULL with <err> if they are of another format or damaged. */
struct handover *handover_read(const char *bytes, size_t length,
                               struct error *err);

/* Frees <h>. NULL is allowed. */
void handover_free(struct handover *h);

#endif
