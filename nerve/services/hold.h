/* hold.h - what an operator has said of a service: out, or another weight
 *
 * Pure, but for the memory.
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
    unsigned int drain_ms; /* out: so long it stays, with weight 0 */
    char *reason;          /* owned, or NULL */
    char *author;          /* owned; who said it */
    int64_t since_ms;      /* since the epoch */
    int64_t until_ms;      /* the same; 0: until it is ended */
    int64_t ends_ms; /* what decides: since the boot; 0: not known, or never */
};

#define HOLD_BOOT_SIZE 40

/* At most one for each service. The clock on the wall may be set at any time,
 * and at boot may be hours off until it is: so a hold ends by the clock that
 * counts since the boot. Only one that was begun before that goes by the
 * clock on the wall, and not before HOLD_SETTLED_MS. */
struct holds {         /* zeroed to start with */
    struct hold *list; /* owned, with what its members own */
    size_t count;
    char boot[HOLD_BOOT_SIZE]; /* the name of this boot, or "" */
    int64_t seen_ms;           /* the last moment seen, since the epoch */
};

#define HOLD_SETTLED_MS 300000 /* since the boot */

/* Returns the hold of <service>, borrowed until the next change, or NULL. */
const struct hold *holds_find(const struct holds *holds, const char *service);

/* Puts <hold>, which it takes what is in from, in the place of the one that
 * its service has. Returns 0, or -1 without memory; then nothing has changed,
 * and <hold> is as it was. */
int holds_put(struct holds *holds, struct hold *hold);

/* Ends the hold of <service>. Returns whether there was one. */
bool holds_end(struct holds *holds, const char *service);

/* Returns a hold that is over, borrowed until the next change, or NULL. Now
 * is <wall_ms> since the epoch, <boot_ms> since the boot. */
const struct hold *holds_expired(struct holds *holds, int64_t wall_ms,
                                 int64_t boot_ms);

/* Returns <hold> as it is told and kept: a new reference, or NULL without
 * memory. */
struct json_t *hold_json(const struct hold *hold);

/* Returns all holds as JSON text, owned by the caller (free()), or NULL
 * without memory. */
char *holds_encode(const struct holds *holds);

/* Reads what holds_encode() wrote into <holds>, which are none but have the
 * name of this boot. Returns 0, or
 * -1 with <err>; then they still are. */
int holds_decode(struct holds *holds, const char *text, size_t length,
                 struct error *err);

/* Frees what <hold> or <holds> own; they are zeroed afterwards. */
void hold_close(struct hold *hold);
void holds_close(struct holds *holds);

#endif
