/* transfer.h - one request of a check over libcurl, to one address
 *
 * The host's name is looked up by the check, never by libcurl, which is told
 * the address; proxy variables are ignored, redirects are not followed, and
 * no connection and no TLS session is used twice.
 *
 * A check borrows its transfer from the pool of the curl_loop while it runs:
 * there are as many as run at once, not as many as there are checks.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_TRANSFER_H
#define NERVE_CHECKS_TRANSFER_H

#include "nerve/checks/curl_loop.h"

struct addrinfo;
struct check;

/* Zeroed before transfer_open(). */
struct transfer {
    CURL *easy;                 /* NULL when none is under way */
    struct curl_slist *headers; /* owned; of the request */
    struct curl_slist *address; /* owned; where to connect */
    char *url;                  /* owned */
    int lack;                   /* errno of a socket that was not to be had */
    char problem[CURL_ERROR_SIZE]; /* libcurl's words; empty without any */
};

/* Makes the URL of <path>, which begins with a slash, at the host of <c>.
 * Returns 0, or -1 without memory. */
int transfer_open(struct transfer *t, const struct check *c, const char *path);

/* Adds the header <line> to each request. Returns 0, or -1 without memory. */
int transfer_add_header(struct transfer *t, const char *line);

/* Borrows a transfer and sets all of it that does not depend on what is asked;
 * the caller sets the rest of <t->easy>. Returns 0, or -1 without memory. */
int transfer_take(struct transfer *t, const struct check *c);

/* Starts what was taken, at <address>; <done> is called with <c> unless it is
 * cancelled. Without memory the check ends as not tried. */
void transfer_start(struct transfer *t, struct check *c,
                    const struct addrinfo *address, curl_loop_done_fn *done);

/* Gives the transfer back, which has ended by itself. */
void transfer_give(struct transfer *t, const struct check *c);

/* Gives the transfer back, which has failed with <code>, and ends the attempt
 * of <c>: it could not connect, or <why> it failed; NULL: in libcurl's words.
 */
void transfer_failed(struct transfer *t, struct check *c, CURLcode code,
                     const char *why);

/* Ends the transfer under way, if one is. */
void transfer_cancel(struct transfer *t, const struct check *c);

/* Ends it and frees what is in <t>. */
void transfer_close(struct transfer *t, const struct check *c);

#endif
