/* http_server.h - pages for GET and HEAD over HTTP, served by the loop
 *
 * It changes nothing. A slow or hanging reader delays nobody: there are few
 * connections, and each has a deadline. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OBSERVE_HTTP_SERVER_H
#define NERVE_OBSERVE_HTTP_SERVER_H

#include <uv.h>

struct log;
struct web;

struct web_page {
    unsigned int status;
    const char *type; /* borrowed, for the life of the process */
    char *body;       /* owned; NULL without memory */
};

/* Returns the page <path>. */
typedef struct web_page web_page_fn(void *arg, const char *path);

/* Returns a server that does not listen yet. Keeps <loop>, <log> and <arg>
 * borrowed. Owned by the caller, or NULL without memory. */
struct web *web_new(uv_loop_t *loop, struct log *log, web_page_fn *page,
                    void *arg);

/* Listens only at the address <host> and <port>; NULL: nowhere. If that fails,
 * the log says so, and it tries again and again. */
void web_use(struct web *w, const char *host, int port);

/* Ends and frees <w>, in a later turn of the loop. NULL is allowed. */
void web_close(struct web *w);

#endif
