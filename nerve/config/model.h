/* model.h - the configuration as structs, and how they are freed
 *
 * The files beside this one fill the structs, and all of nerve uses them.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_MODEL_H
#define NERVE_CONFIG_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "csrc/base/event.h"

enum check_kind {
    CHECK_TCP = 0,
    CHECK_HTTP,
    CHECK_GRPC,
    CHECK_EXEC,
    CHECK_NOOP,
    CHECK_PUSH
};

/* A range of HTTP statuses, both ends included. */
struct status_range {
    int first;
    int last;
};

#define GRPC_SERVICE_MAX 255 /* bytes of a service's name */

/* One way to test an instance. */
struct check_config {
    enum check_kind kind;
    char *name; /* owned; for the log: the type, or as given */
    char *host; /* owned; an address or a name */
    int port;
    unsigned int timeout_ms; /* for the whole check */
    unsigned int connect_ms; /* of it, for connecting; 0: as <timeout_ms> */
    unsigned int rise;
    unsigned int fall;
    char *expect;   /* owned; text the answer must hold, or NULL */
    char *send;     /* owned; tcp: what is said first, or NULL */
    char **command; /* owned; exec: the program and its arguments, NULL */
    char *method;   /* owned; http, or NULL: GET */
    char *uri;      /* owned; http */
    char **headers; /* owned; http: "Name: value" lines */
    size_t header_count;
    struct status_range *statuses; /* owned; http: the statuses that pass */
    size_t status_count;
    unsigned int ttl_ms; /* push: how long the service may be silent */
    char *service; /* owned; grpc: one of the server's, or NULL: all of it */
    bool tls;      /* http, grpc */
    bool verify;   /* tls: the server must prove its name */
    char *ca_file; /* owned; tls: who is trusted, or NULL: the system's */
    char *sni;     /* owned; tls: the name that is asked for, or NULL */
};

/* How often the reported state may change; zeroed: no limit. */
struct rate_config {
    bool limited;
    bool shadow_mode;    /* a change beyond the limit is only logged */
    double average_rate; /* tokens a second; from 0 */
    double max_burst;    /* tokens; from 1, or infinite */
};

enum node_type {
    NODE_EPHEMERAL_SEQUENTIAL = 0,
    NODE_EPHEMERAL,
    NODE_PERSISTENT,
    NODE_PERSISTENT_SEQUENTIAL
};
#define NODE_TYPES 4

/* One instance, and how it is tested and registered. */
struct service_config {
    char *name;        /* owned; the key below "services" */
    char *host;        /* owned; as published */
    char *port;        /* owned; its digits */
    char *ensemble;    /* owned; zk_hosts, sorted, joined by commas */
    char *zk_path;     /* owned */
    char *payload;     /* owned; the znode's data */
    char *identity;    /* owned; the payload's start that names the instance */
    char *node;        /* owned; the znode's name but for its sequence number */
    bool encoded;      /* <node> carries the payload, if that is not too long */
    char *instance_id; /* owned */
    enum node_type node_type;
    bool creator_acl;    /* only its own credentials may change it */
    unsigned int ttl_ms; /* between writes to a persistent znode; 0: none */
    char *checking; /* owned; all about its checks as it was written, JSON */
    int session_timeout_ms;
    unsigned int check_interval_ms;
    struct rate_config rate;
    struct check_config *checks; /* owned */
    size_t check_count;
};

/* Something that is no error, but that the author of the file should know. */
struct note {
    enum event_level level;
    char *text; /* owned */
};

/* All notes on a configuration, in the order in which they were found. Zeroed
 * to start with. */
struct notes {
    struct note *list; /* owned */
    size_t count;
};

/* An address to send to, or to listen at. */
struct endpoint {
    char *host; /* owned; NULL: nowhere */
    int port;
};

struct config {
    char *instance_id;       /* owned */
    char *heartbeat_path;    /* owned, or NULL */
    char *control_socket;    /* owned, or NULL */
    char *holds_path;        /* owned, or NULL */
    unsigned int watchdog_s; /* how long the loop may hang */
    char *auth;              /* owned; "user:password", or NULL: none */
    bool creator_acl;        /* as in struct service_config */
    struct endpoint metrics; /* an address that is listened at */
    struct endpoint statsd;
    int session_timeout_ms;
    struct service_config *services; /* owned */
    size_t service_count;
    struct notes notes;
};

/* Returns the word for <kind>, static. Pure. */
const char *check_kind_name(enum check_kind kind);

/* Returns the word for <type>, static. Pure. */
const char *node_type_name(enum node_type type);

/* Tells what <service>'s type of znode means: it outlives its session; its name
 * ends in a number that ZooKeeper gives. Pure. */
bool config_is_persistent(const struct service_config *service);

bool config_is_sequential(const struct service_config *service);

/* Returns the push check of <service>, of which there is one at most, borrowed;
 * or NULL. Pure. */
const struct check_config *
config_push_check(const struct service_config *service);

/* Frees what <check> holds. */
void check_config_close(struct check_config *check);

/* Frees what <service> holds. */
void service_config_close(struct service_config *service);

/* Moves what <from> holds into a service that is owned by the caller; <from>
 * is zeroed. Returns NULL without memory; then <from> is as it was. */
struct service_config *service_config_move(struct service_config *from);

/* Frees <service> and what it holds. NULL is allowed. */
void service_config_free(struct service_config *service);

/* Exchanges all but the checks and what they are made of between <a> and
 * <b>. */
void service_config_swap_registration(struct service_config *a,
                                      struct service_config *b);

/* Wipes and frees <secret>. NULL is allowed. */
void config_secret_free(char *secret);

/* Frees <config>. NULL is allowed. */
void config_free(struct config *config);

/* Adds <text>, which it takes, to <notes>. Without memory, or if one of them
 * is NULL, nothing is added. */
void notes_add(struct notes *notes, enum event_level level, char *text);

/* Frees what <notes> hold; they are empty afterwards. */
void notes_close(struct notes *notes);

#endif
