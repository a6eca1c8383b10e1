/* published.h - what of a service is published, its configuration or what a
 * hold says, and for how long when it is taken out
 *
 * Pure, but for the memory.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_PUBLISHED_H
#define NERVE_REGISTER_PUBLISHED_H

#include <stdbool.h>
#include <stdint.h>

#include "nerve/config/model.h"

struct drain {              /* zeroed to start with */
    bool out;               /* it is taken out */
    unsigned int drain_ms;  /* so long it shows weight 0 */
    int64_t quiet_since_ms; /* ZooKeeper has confirmed that; 0: not yet */
};

/* What a renewal has changed. */
enum published_change { PUBLISHED_SAME = 0, PUBLISHED_DATA, PUBLISHED_NAME };

struct published {
    struct service_config shown; /* what is published; all in it borrowed */
    const struct service_config *config; /* borrowed */
    int64_t weight; /* to be published; -1: the configuration's */
    bool stale;     /* <shown> is not what is to be published */
    char *payload;  /* owned; with another weight, or NULL */
    char *node;     /* owned; the name that carries it, or NULL */
};

/* Begins with what <config>, which is kept borrowed, says. */
void published_open(struct published *w, const struct service_config *config);

/* Uses <config> in the place of the one before, which may then be freed. */
void published_use(struct published *w, const struct service_config *config);

/* Another weight is to be published; -1: the configuration's. It is shown from
 * published_renew() on. */
void published_weigh(struct published *w, int64_t weight);

/* Makes <w> show what is to be published, and tells the <change>: none, the
 * data, or the znode's name too. Returns 0, or -1 without memory. */
int published_renew(struct published *w, enum published_change *change);

/* Frees what <w> owns. */
void published_close(struct published *w);

/* The service is taken out, and drains for <drain_ms> first, or for so long in
 * all if it is draining. */
void drain_start(struct drain *d, unsigned int drain_ms);

/* It is not taken out any more. */
void drain_end(struct drain *d);

/* Tells whether the service may be registered: it is not taken out, or it has
 * still to drain. It is <registered>, and ZooKeeper has confirmed weight 0 if
 * <quiet>. */
bool drain_allows(struct drain *d, bool registered, bool quiet, int64_t now_ms);

#endif
