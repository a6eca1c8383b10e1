/* published.h - what of a service is published: its configuration, or a hold's
 *
 * Pure, but for the memory.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_PUBLISHED_H
#define NERVE_REGISTER_PUBLISHED_H

#include <stdbool.h>
#include <stdint.h>

#include "nerve/config/read.h"

/* What a renewal has changed. */
enum wording_change { WORDING_SAME = 0, WORDING_DATA, WORDING_NAME };

struct wording {
    struct service_config shown; /* what is published; all in it borrowed */
    const struct service_config *config; /* borrowed */
    int64_t weight; /* to be published; -1: the configuration's */
    bool stale;     /* <shown> is not what is to be published */
    char *payload;  /* owned; with another weight, or NULL */
    char *node;     /* owned; the name that carries it, or NULL */
};

/* Begins with what <config>, which is kept borrowed, says. */
void wording_open(struct wording *w, const struct service_config *config);

/* Uses <config> in the place of the one before, which may then be freed. */
void wording_use(struct wording *w, const struct service_config *config);

/* Another weight is to be published; -1: the configuration's. It is shown from
 * wording_renew() on. */
void wording_weigh(struct wording *w, int64_t weight);

/* Makes <w> show what is to be published, and tells the <change>: none, the
 * data, or the znode's name too. Returns 0, or -1 without memory. */
int wording_renew(struct wording *w, enum wording_change *change);

/* Frees what <w> owns. */
void wording_close(struct wording *w);

#endif
