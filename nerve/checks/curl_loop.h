/* curl_loop.h - libcurl's transfers, driven by a libuv loop
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_CURL_LOOP_H
#define NERVE_CHECKS_CURL_LOOP_H

#include <curl/curl.h>
#include <uv.h>

struct curl_loop;

/* Called when a transfer has ended by itself; it is removed already. */
typedef void curl_loop_done_fn(void *arg, CURLcode code);

/* These begin and end the use of libcurl in this process: before any other
 * thread starts, and after all have ended. */
void curl_loop_start_library(void);
void curl_loop_end_library(void);

/* Returns libcurl's version and what it is built with, static. */
const char *curl_loop_version(void);

/* Returns a struct for <loop>, which it keeps borrowed. Owned by the caller, or
 * NULL without memory. */
struct curl_loop *curl_loop_new(uv_loop_t *loop);

/* Returns a transfer with nothing set, for curl_loop_give(); NULL without
 * memory. */
CURL *curl_loop_take(struct curl_loop *cl);

/* Takes <easy> back, which is not running. */
void curl_loop_give(struct curl_loop *cl, CURL *easy);

/* Starts the transfer <easy>, whose CURLOPT_PRIVATE it sets; keeps it, and
 * <arg>, borrowed until <done> or curl_loop_remove(). Returns 0 or -1. */
int curl_loop_add(struct curl_loop *cl, CURL *easy, curl_loop_done_fn *done,
                  void *arg);

/* Stops the transfer <easy>; <done> is not called. */
void curl_loop_remove(struct curl_loop *cl, CURL *easy);

/* Frees <cl> in a later turn of the loop. No transfer may be in use. NULL is
 * allowed. */
void curl_loop_free(struct curl_loop *cl);

#endif
