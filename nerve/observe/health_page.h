/* health_page.h - whether ZooKeeper has what the checks have found
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OBSERVE_HEALTH_PAGE_H
#define NERVE_OBSERVE_HEALTH_PAGE_H

#include <stdbool.h>

#include "nerve/observe/http_server.h"
#include "nerve/services/health.h"

struct roster;

/* Says what is not in order with a service that is in <state>, whose session is
 * <connected>, and whose registration is known to be there (<registered>) and
 * to be as wanted (<settled>). Returns NULL if all is, else a static text.
 * Pure. */
const char *health_trouble(enum health_state state, bool connected,
                           bool registered, bool settled);

/* Returns the page: 200 when each service is in order, else 503 with a line for
 * each that is not. A service that is down and not registered is in order. Its
 * body is owned by the caller. */
struct web_page health_page(const struct roster *r);

#endif
