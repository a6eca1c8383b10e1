/* fields.h - every key of a configuration, once: what it is, where its value
 * is kept, what a change of it means, and whether an operator may see it
 *
 * The tables drive the reading and the search for misspelt keys (value.h), the
 * comparing of two configurations (compare.h), what one nerve hands to the next
 * (process/handover.h) and what "nerve ctl" shows (show.h). README.md says what
 * each key means, nerve.conf(5) is made of that, and a test compares its table
 * with these.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_FIELDS_H
#define NERVE_CONFIG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

struct service_config;

/* What a key is, and the type of the member that keeps its value. */
enum field_kind {
    FIELD_IGNORED = 0, /* a key of airbnb's nerve that has no effect here */
    FIELD_STRING,      /* char *; one line, not empty */
    FIELD_TEXT,        /* char *; any characters, not empty */
    FIELD_PORT,        /* int */
    FIELD_COUNT,       /* unsigned int; from <min> to <max> */
    FIELD_SECONDS,     /* unsigned int or int; milliseconds */
    FIELD_BOOLEAN,     /* bool */
    FIELD_NUMBER,      /* double; from <min> */
    /* Read by a function of its own: */
    FIELD_OWN,        /* into no member, or into several */
    FIELD_OWN_STRING, /* char * */
    FIELD_OWN_ENUM,   /* enum node_type */
    /* Has no key in the file, is made of others: */
    FIELD_MADE_STRING, /* char * */
    FIELD_MADE_INT,    /* int */
};

/* What has to be done when a value changes; may be combined. */
enum field_change {
    CHANGES_NOTHING = 0,
    CHANGES_SETTING = 1, /* it is used from now on */
    CHANGES_CHECKS = 2,  /* the checks start again */
    CHANGES_DATA = 4,    /* the znode gets new data */
    CHANGES_ZNODE = 8,   /* another znode takes the place of the old one */
};

/* The types of checks that have a key; may be combined. */
enum field_types {
    OF_TCP = 1,
    OF_HTTP = 2,
    OF_REDIS = 4,
    OF_EXEC = 8,
    OF_NOOP = 16,
    OF_GRPC = 32,
    OF_PUSH = 64,
};

struct field {
    const char *key; /* NULL ends a table */
    enum field_kind kind;
    unsigned int types;   /* of enum field_types; checks only; 0: all */
    size_t offset;        /* of the member in its struct */
    unsigned int change;  /* of enum field_change; services only */
    const char *shown;    /* its name in what is shown, or NULL: hidden */
    bool only_whether;    /* what is shown is only whether it is set */
    const char *handed;   /* its name in a handover, or NULL */
    const char *required; /* it must be there, and be this; or NULL */
    double min, max;      /* of numbers */
};

extern const struct field config_fields_top[];     /* struct config */
extern const struct field config_fields_auth[];    /* no struct */
extern const struct field config_fields_statsd[];  /* struct endpoint */
extern const struct field config_fields_service[]; /* struct service_config */
extern const struct field config_fields_rate[];    /* struct rate_config */
extern const struct field config_fields_check[];   /* struct check_config */

/* Tells whether <field> is a key that a file may have. */
bool field_is_key(const struct field *field);

/* Tells whether checks of <types> have <field>; <types> is 0 elsewhere. */
bool field_is_of(const struct field *field, unsigned int types);

/* Tells whether <field> keeps a string. */
bool field_is_string(const struct field *field);

/* Returns where the struct at <base> keeps the value of <field>. */
void *field_of(const struct field *field, const void *base);

#endif
