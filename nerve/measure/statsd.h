/* statsd.h - tells a dogstatsd what happens, one datagram a metric
 *
 * Nothing waits for it: what cannot be sent at once is lost and counted. The
 * host's name is looked up without holding the loop up. Loop thread only.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_MEASURE_STATSD_H
#define NERVE_MEASURE_STATSD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

struct addrinfo;
struct lookup;
struct statsd;

/* Finds a host's addresses without blocking the loop: lookup_new(),
 * lookup_start() and lookup_free() of checks/dns.h, which this may not know. */
struct statsd_names {
    struct lookup *(*look_up)(uv_loop_t *loop, const char *host, int port,
                              void (*done)(void *arg,
                                           const struct addrinfo *addresses,
                                           int status),
                              void *arg);
    void (*start)(struct lookup *l);
    void (*free)(struct lookup *l);
};

#define STATSD_LINE_MAX 1024

/* Returns one that sends nothing yet; keeps <loop> and <names> borrowed. Owned
 * by the caller, or NULL without memory. */
struct statsd *statsd_new(uv_loop_t *loop, const struct statsd_names *names);

/* Sends to <host> and <port> from now on; NULL: nowhere. Returns 0, or -1
 * without memory; then nothing is sent. */
int statsd_use(struct statsd *s, const char *host, int port);

/* Counts <name> once. Pairs of a tag and its value follow, and a NULL. <s> may
 * be NULL. */
void statsd_count(struct statsd *s, const char *name, ...)
    __attribute__((sentinel));

/* Tells that <name> took <ms>; the rest is the same. */
void statsd_time(struct statsd *s, const char *name, uint64_t ms, ...)
    __attribute__((sentinel));

/* Returns how many metrics were lost. */
uint64_t statsd_lost(const struct statsd *s);

/* Ends and frees <s>. NULL is allowed. */
void statsd_close(struct statsd *s);

/* Writes the metric <name> of the <type> "c" or "ms" into <line>. <tags> are
 * pairs of a name and a value, up to a NULL; what would end a value is written
 * as "_", and long ones are cut. Returns the length; 0: it does not fit. */
size_t statsd_line(char line[STATSD_LINE_MAX], const char *name,
                   const char *type, uint64_t value, va_list tags);

/* Writes the name that airbnb's nerve has for an ensemble, of its sorted
 * <hosts>, into <out>: "zk" for "zk0.example.com:2181,...". */
void statsd_cluster(const char *hosts, char *out, size_t size);

#endif
