/* published.h - what a service publishes: its configuration or an operator's
 * weight, and how long it drains before it is taken out
 *
 * Pure, except that it allocates.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_PUBLISHED_H
#define NERVE_REGISTER_PUBLISHED_H

#include <stdbool.h>
#include <stdint.h>

#include "nerve/config/model.h"

struct drain {              /* zeroed to start with */
    bool out;               /* an operator has taken it out */
    unsigned int drain_ms;  /* it shows weight 0 for so long */
    int64_t quiet_since_ms; /* when ZooKeeper confirmed that; 0: not yet */
};

/* What published_renew() has changed. */
enum published_change { PUBLISHED_SAME = 0, PUBLISHED_DATA, PUBLISHED_NAME };

struct published {
    struct service_config shown; /* what is published; all of it borrowed */
    const struct service_config *config; /* borrowed */
    int64_t weight; /* to be published; -1: the configuration's */
    bool stale;     /* <shown> is out of date */
    char *payload;  /* owned; with another weight, or NULL */
    char *node;     /* owned; the name with that data, or NULL */
};

/* Starts with <config>, which it keeps borrowed. */
void published_open(struct published *w, const struct service_config *config);

/* Uses <config> from now on; the previous one may then be freed. */
void published_use(struct published *w, const struct service_config *config);

/* Publishes another weight; -1: the configuration's. published_renew() makes it
 * visible. */
void published_weigh(struct published *w, int64_t weight);

/* Brings <w> up to date, and sets <change>: nothing changed, the data did, or
 * the znode's name too. Returns 0, or -1 without memory. */
int published_renew(struct published *w, enum published_change *change);

/* Frees what <w> owns. */
void published_close(struct published *w);

/* The service is taken out. It drains for <drain_ms> first; if it is draining
 * already, that is the time in all. */
void drain_start(struct drain *d, unsigned int drain_ms);

/* It is not taken out any more. */
void drain_end(struct drain *d);

/* Tells whether the service may be registered: it is not taken out, or it still
 * has to drain. It is <registered>; <quiet>: ZooKeeper has confirmed weight
 * 0. */
bool drain_allows(struct drain *d, bool registered, bool quiet, int64_t now_ms);

#endif
