/* published.c - what a service publishes: its configuration or an operator's
 * weight, and how long it drains before it is taken out
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nerve/config/payload.h"
#include "nerve/register/published.h"

void drain_start(struct drain *d, unsigned int drain_ms) {
    d->out = true;
    d->drain_ms = drain_ms;
}

void drain_end(struct drain *d) { *d = (struct drain){.out = false}; }

bool drain_allows(struct drain *d, bool registered, bool quiet,
                  int64_t now_ms) {
    if (!d->out)
        return true;
    if (!registered || d->drain_ms == 0)
        return false;
    if (!quiet)
        d->quiet_since_ms = 0;
    else if (!d->quiet_since_ms)
        d->quiet_since_ms = now_ms;
    return !d->quiet_since_ms || now_ms - d->quiet_since_ms < d->drain_ms;
}

/* Shows the configuration, except for the owned texts. */
static void show(struct published *w) {
    w->shown = *w->config;
    if (w->payload)
        w->shown.payload = w->payload;
    if (w->node)
        w->shown.node = w->node;
}

void published_open(struct published *w, const struct service_config *config) {
    *w = (struct published){.config = config, .weight = -1};
    show(w);
}

void published_use(struct published *w, const struct service_config *config) {
    w->config = config;
    w->stale = w->stale || w->weight >= 0;
    show(w);
}

void published_weigh(struct published *w, int64_t weight) {
    w->stale = w->stale || weight != w->weight;
    w->weight = weight;
}

static enum published_change compare(const struct service_config *shown,
                                     const char *payload, const char *node) {
    if (strcmp(shown->node, node) != 0)
        return PUBLISHED_NAME;
    return strcmp(shown->payload, payload) == 0 ? PUBLISHED_SAME
                                                : PUBLISHED_DATA;
}

int published_renew(struct published *w, enum published_change *change) {
    const struct service_config *config = w->config;
    char *payload = NULL, *node = NULL;

    if (w->weight >= 0) {
        payload =
            payload_with_weight(config->payload, config->identity, w->weight);
        if (payload && config->encoded)
            node = payload_encoded_node_name(config->instance_id, payload);
        if (!payload || (config->encoded && !node)) {
            free(payload);
            return -1;
        }
    }
    *change = compare(&w->shown, payload ? payload : config->payload,
                      node ? node : config->node);
    published_close(w);
    w->payload = payload;
    w->node = node;
    w->stale = false;
    show(w);
    return 0;
}

void published_close(struct published *w) {
    free(w->payload);
    free(w->node);
    w->payload = NULL;
    w->node = NULL;
}
