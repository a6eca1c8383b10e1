/* step.h - sends the request that a step towards the registration takes
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_REGISTER_STEP_H
#define NERVE_REGISTER_STEP_H

#include <stdint.h>

#include "nerve/register/plan.h"

struct service_config;
struct session;

/* Sends the request for <step>, given what is <known>, on <session>. Returns
 * its number, or a negative code (session.h). */
int64_t step_send(enum registration_step step, const struct registration *known,
                  const struct service_config *service,
                  struct session *session);

#endif
