/* value.h - single values of a configuration, checked
 *
 * Every function reads the member <key> of the object <json>, which stands at
 * the reader's place. A value that is wrong is an error of the reader that
 * names the place, the value and what would be right. Then, and if the member
 * is absent, <out> stays as it is. A null counts as absent, unless the function
 * says otherwise. The caller owns the strings that are returned (free()).
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CONFIG_VALUE_H
#define NERVE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct field;
struct reader;

/* Reads all members that the table <fields> can read into the struct at <base>,
 * whose strings are NULL. <types> as in field_is_of(). */
void value_fields(struct reader *r, const json_t *json,
                  const struct field *fields, unsigned int types, void *base);

/* Notes every member of <json> that <fields> ignore or do not have. For a key
 * that they do not have, the note names the key that may be meant. */
void value_check_keys(struct reader *r, const json_t *json,
                      const struct field *fields, unsigned int types);

/* A string, not empty and without control characters. */
void value_string(struct reader *r, const json_t *json, const char *key,
                  char **out);

/* The same, but required; <what> says what for. */
void value_required_string(struct reader *r, const json_t *json,
                           const char *key, const char *what, char **out);

/* A port, a number or a string of digits. */
void value_port(struct reader *r, const json_t *json, const char *key,
                int *out);

/* A whole number from <min> to <max>. This and other numbers may stand in a
 * string. */
void value_count(struct reader *r, const json_t *json, const char *key,
                 unsigned int min, unsigned int max, unsigned int *out);

/* Seconds, above 0 and at most a day, as milliseconds. */
void value_seconds(struct reader *r, const json_t *json, const char *key,
                   unsigned int *out_ms);

void value_boolean(struct reader *r, const json_t *json, const char *key,
                   bool *out);

/* A whole number from 0, or a string of digits. null is wrong too. */
void value_weight(struct reader *r, const json_t *json, const char *key,
                  int64_t *out);

/* Returns the object or the list, borrowed from <json>, or NULL. An empty
 * list stands for an empty object too: many programs write it so. */
const json_t *value_object(struct reader *r, const json_t *json,
                           const char *key);

const json_t *value_list(struct reader *r, const json_t *json, const char *key);

/* Adds the error "<place>.<key>: <value> is not <right>". */
void value_wrong(struct reader *r, const json_t *value, const char *key,
                 const char *right);

/* Returns how far <a> is from <b>: the number of letters to add, to leave
 * out, to replace, or to swap with the next one. If one of them is longer than
 * 64, the result is at least 64. */
size_t nearest_distance(const char *a, const char *b);

/* Returns how far another word may be from <word> so that <word> may be a
 * misspelling of it: a third of its letters, and at least one. */
size_t nearest_limit(const char *word);

/* Returns <value> as Ruby's JSON.generate writes it, members in their order;
 * owned by the caller (free()), or NULL without memory. */
char *json_text(const json_t *value);

#endif
