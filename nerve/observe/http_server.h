/* http_server.h - pages for GET and HEAD over HTTP, served by the loop
 *
 * Nothing can be changed this way. A slow or hanging reader holds up nobody:
 * there are few connections, each with a deadline. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OBSERVE_HTTP_SERVER_H
#define NERVE_OBSERVE_HTTP_SERVER_H

#include <uv.h>

struct log;
struct web;

struct web_page {
    unsigned int status;
    const char *type; /* borrowed, for ever */
    char *body;       /* owned; NULL: there was no memory */
};

/* Returns the page <path>. */
typedef struct web_page web_page_fn(void *arg, const char *path);

/* Returns a server that listens nowhere yet; keeps <loop>, <log> and <arg>
 * borrowed. Owned by the caller, or NULL without memory. */
struct web *web_new(uv_loop_t *loop, struct log *log, web_page_fn *page,
                    void *arg);

/* Listens at the address <host> and <port>, and there alone; NULL: nowhere.
 * Where that fails the log says so, and it is tried again and again. */
void web_use(struct web *w, const char *host, int port);

/* Ends and frees <w>, in a later turn of the loop. NULL is allowed. */
void web_close(struct web *w);

#endif
