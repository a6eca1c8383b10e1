/* transfer.h - one request of a check over libcurl, to one address
 *
 * The check looks up the host's name, and libcurl gets only the address. Proxy
 * variables are ignored, redirects are not followed, and no connection and no
 * TLS session is used twice.
 *
 * A check borrows its transfer from the pool of the curl_loop while it runs. So
 * there are only as many transfers as run at once.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_TRANSFER_H
#define NERVE_CHECKS_TRANSFER_H

#include "nerve/checks/curl_loop.h"

struct addrinfo;
struct check;

/* Zeroed before transfer_open(). */
struct transfer {
    CURL *easy;                    /* NULL when none is under way */
    struct curl_slist *headers;    /* owned; of the request */
    struct curl_slist *address;    /* owned; where to connect */
    char *url;                     /* owned */
    int lack;                      /* why there was no socket: an errno, or 0 */
    char problem[CURL_ERROR_SIZE]; /* libcurl's message, or empty */
};

/* Makes the URL of <path>, which begins with a slash, at the host of <c>.
 * Returns 0, or -1 without memory. */
int transfer_open(struct transfer *t, const struct check *c, const char *path);

/* Adds the header <line> to each request. Returns 0, or -1 without memory. */
int transfer_add_header(struct transfer *t, const char *line);

/* Borrows a transfer and sets its options, except those of the request, which
 * the caller sets in <t->easy>. Returns 0, or -1 without memory. */
int transfer_take(struct transfer *t, const struct check *c);

/* Starts the borrowed transfer, at <address>; <done> is called with <c> unless
 * it is cancelled. Without memory the check ends as not tried. */
void transfer_start(struct transfer *t, struct check *c,
                    const struct addrinfo *address, curl_loop_done_fn *done);

/* Returns the transfer, which has ended by itself, to the pool. */
void transfer_give(struct transfer *t, const struct check *c);

/* Returns the transfer, which has failed with <code>, to the pool, and ends the
 * attempt of <c>: it could not connect, or it failed because of <why> (NULL:
 * libcurl's message). */
void transfer_failed(struct transfer *t, struct check *c, CURLcode code,
                     const char *why);

/* Ends the transfer under way, if one is. */
void transfer_cancel(struct transfer *t, const struct check *c);

/* Ends it and frees what is in <t>. */
void transfer_close(struct transfer *t, const struct check *c);

#endif
