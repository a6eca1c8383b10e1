/* value.h - single values of a configuration, checked
 *
 * Every function reads the member <key> of the object <from>, which stands at
 * the place <at> ("services.web", "" at the top). It returns 0, or -1 with
 * <err> naming the place, the value and what would be right. Members that are
 * absent leave <out> as it is, and so do null ones, where nothing else is
 * said. Strings that are returned are owned by the caller (free()).
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_VALUE_H
#define NERVE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct config;
struct error;

/* What becomes of a key. */
enum key_fate { KEY_USED = 0, KEY_IGNORED };

struct key {
    const char *name;
    enum key_fate fate;
};

/* Notes every member of <from> that <keys> (ended by a NULL name) ignores or
 * does not hold; then also the key that it may be meant to be. */
void value_check_keys(struct config *config, const json_t *from, const char *at,
                      const struct key *keys);

/* A string, not empty and without control characters. */
int value_string(const json_t *from, const char *at, const char *key,
                 char **out, struct error *err);

/* The same, and it must be there; <what> says what for. */
int value_required_string(const json_t *from, const char *at, const char *key,
                          const char *what, char **out, struct error *err);

/* A port, a number or a string of digits. */
int value_port(const json_t *from, const char *at, const char *key, int *out,
               struct error *err);

/* A whole number from <min> to <max>. */
int value_count(const json_t *from, const char *at, const char *key,
                unsigned int min, unsigned int max, unsigned int *out,
                struct error *err);

/* Seconds, above 0 and at most a day, as milliseconds. */
int value_seconds(const json_t *from, const char *at, const char *key,
                  unsigned int *out_ms, struct error *err);

int value_boolean(const json_t *from, const char *at, const char *key,
                  bool *out, struct error *err);

/* A whole number from 0, or a string of digits. null is wrong too. */
int value_weight(const json_t *from, const char *at, const char *key,
                 int64_t *out, struct error *err);

/* An object or a list; borrowed from <from>. */
int value_object(const json_t *from, const char *at, const char *key,
                 const json_t **out, struct error *err);

int value_list(const json_t *from, const char *at, const char *key,
               const json_t **out, struct error *err);

/* Sets <err> to "<at>.<key>: <value> is not <right>". Returns -1. */
int value_wrong(const json_t *value, const char *at, const char *key,
                const char *right, struct error *err);

/* The word that somebody who misspelt one may have meant: how many letters must
 * be added, left out, replaced, or swapped with the next one, to make <a> of
 * <b>; at least 64 where one of them is longer than that. */
size_t nearest_distance(const char *a, const char *b);

/* Tells how far a word may be from <word> to be meant by it: a third of its
 * letters, but for the shortest words one. */
size_t nearest_limit(const char *word);

/* Returns <value> as Ruby's JSON.generate writes it, members in their order;
 * owned by the caller (free()), or NULL without memory. */
char *json_text(const json_t *value);

#endif
