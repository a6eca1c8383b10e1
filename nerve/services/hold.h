/* hold.h - what an operator has ordered for a service: out, or another weight
 *
 * Pure, except that it allocates.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_SERVICES_HOLD_H
#define NERVE_SERVICES_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json_t;

#define HOLD_DRAIN_MAX_MS 86400000

struct hold {
    char *service;         /* owned; its name in the configuration */
    bool out;              /* it is taken out; else it has <weight> */
    int64_t weight;        /* published */
    unsigned int drain_ms; /* out: it stays so long, with weight 0 */
    char *reason;          /* owned, or NULL */
    char *author;          /* owned; the operator's name */
    int64_t since_ms;      /* since the epoch */
    int64_t until_ms;      /* the same; 0: until it is ended */
    int64_t ends_ms; /* what decides: since the boot; 0: not known, or never */
};

#define HOLD_BOOT_SIZE 40

/* At most one hold for each service. Somebody may set the wall clock at any
 * time, and after a boot it may be hours wrong until it is set. So a hold ends
 * by the clock that counts since the boot. Only a hold of an earlier boot ends
 * by the wall clock, and not before HOLD_SETTLED_MS. */
struct holds {         /* zeroed to start with */
    struct hold *list; /* owned, with what its members own */
    size_t count;
    char boot[HOLD_BOOT_SIZE]; /* the name of this boot, or "" */
    int64_t seen_ms;           /* the last time seen, since the epoch */
};

#define HOLD_SETTLED_MS 300000 /* since the boot */

/* Returns the hold of <service>, borrowed until the next change, or NULL. */
const struct hold *holds_find(const struct holds *holds, const char *service);

/* Puts <hold>, whose members it takes, in place of the service's hold. Returns
 * 0, or -1 without memory; then nothing has changed. */
int holds_put(struct holds *holds, struct hold *hold);

/* Ends the hold of <service>. Returns whether there was one. */
bool holds_end(struct holds *holds, const char *service);

/* Returns a hold whose time is over, borrowed until the next change, or NULL.
 * The time is <wall_ms> since the epoch and <boot_ms> since the boot. */
const struct hold *holds_expired(struct holds *holds, int64_t wall_ms,
                                 int64_t boot_ms);

/* Returns <hold> as JSON for people and for the file: a new reference, or NULL
 * without memory. */
struct json_t *hold_json(const struct hold *hold);

/* Returns all holds as JSON text, owned by the caller (free()), or NULL
 * without memory. */
char *holds_encode(const struct holds *holds);

/* Reads the text of holds_encode() into <holds>, which has no holds but the
 * name of this boot. Returns 0, or -1 with <err>; then it still has no
 * holds. */
int holds_decode(struct holds *holds, const char *text, size_t length,
                 struct error *err);

/* Frees what <hold> or <holds> own; they are zeroed afterwards. */
void hold_close(struct hold *hold);
void holds_close(struct holds *holds);

#endif
