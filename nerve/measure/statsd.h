/* statsd.h - sends metrics to dogstatsd, one datagram for each
 *
 * nerve/README.md lists the metrics. Each is sent where its event happens: grep
 * for statsd_count( and statsd_time(.
 *
 * Nothing waits for dogstatsd: a metric that cannot be sent at once is lost and
 * counted. The name of its host is looked up without blocking the loop. Loop
 * thread only.
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

/* How to find the addresses of a host without blocking the loop: lookup_new(),
 * lookup_start() and lookup_free() of checks/dns.h. The caller passes them in,
 * because this folder may not include it. */
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

/* Returns a sender that sends nothing yet, owned by the caller, or NULL without
 * memory. Keeps <loop> and <names> borrowed. */
struct statsd *statsd_new(uv_loop_t *loop, const struct statsd_names *names);

/* Sends to <host> and <port> from now on, or nowhere if <host> is NULL. Returns
 * 0, or -1 without memory; then nothing is sent. */
int statsd_use(struct statsd *s, const char *host, int port);

/* Counts <name> once. The other arguments are pairs of a tag and its value, and
 * a NULL at the end. <s> may be NULL. */
void statsd_count(struct statsd *s, const char *name, ...)
    __attribute__((sentinel));

/* Reports that <name> took <ms> milliseconds; the tags are as above. */
void statsd_time(struct statsd *s, const char *name, uint64_t ms, ...)
    __attribute__((sentinel));

/* Returns how many metrics were lost. */
uint64_t statsd_lost(const struct statsd *s);

/* Ends and frees <s>. NULL is allowed. */
void statsd_close(struct statsd *s);

/* Writes the metric <name> of the <type> "c" or "ms" into <line>. <tags> are
 * pairs of a name and a value, up to a NULL. A byte that would end a value is
 * written as "_", and long values are cut. Returns the length, or 0 if the line
 * does not fit. */
size_t statsd_line(char line[STATSD_LINE_MAX], const char *name,
                   const char *type, uint64_t value, va_list tags);

/* Writes the name that airbnb's nerve gives to an ensemble into <out>. It is
 * made of the sorted <hosts>: "zk" for "zk0.example.com:2181,...". */
void statsd_cluster(const char *hosts, char *out, size_t size);

#endif
