/* session_submit.h - how session_request.c hands a request to its session
 * SPDX-License-Identifier: MIT
 */
#ifndef MYELIN_SESSION_SUBMIT_H
#define MYELIN_SESSION_SUBMIT_H

#include <stdint.h>

struct request;
struct session;

/* Numbers <r> and sends it, at once or when others were answered. Takes <r>;
 * NULL stands for no memory. Returns what session.h says of requests. Loop
 * thread. */
int64_t session_submit(struct session *s, struct request *r);

#endif
