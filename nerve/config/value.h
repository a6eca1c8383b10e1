/* value.h - single values of a configuration, checked
 *
 * Every function reads the member <key> of the object <json>, which stands at
 * the reader's place. A value that is wrong is an error of the reader that
 * names the place, the value and what would be right; then, and where the
 * member is absent, <out> stays as it is. A null is as good as nothing, where
 * nothing else is said. Strings that are returned are owned by the caller
 * (free()).
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

/* Reads all members that <fields> say how to read into the struct at <base>,
 * whose strings are NULL. <types> as in field_is_of(). */
void value_fields(struct reader *r, const json_t *json,
                  const struct field *fields, unsigned int types, void *base);

/* Notes every member of <json> that <fields> ignore or do not have; of one
 * that they do not have, also which key may be meant. */
void value_check_keys(struct reader *r, const json_t *json,
                      const struct field *fields, unsigned int types);

/* A string, not empty and without control characters. */
void value_string(struct reader *r, const json_t *json, const char *key,
                  char **out);

/* The same, and it must be there; <what> says what for. */
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
 * out, to replace, or to swap with the next one. It is at least 64 where one
 * of them is longer than that. */
size_t nearest_distance(const char *a, const char *b);

/* Returns how far another word may be from <word> and still be meant by it:
 * a third of its letters, and at least one. */
size_t nearest_limit(const char *word);

/* Returns <value> as Ruby's JSON.generate writes it, members in their order;
 * owned by the caller (free()), or NULL without memory. */
char *json_text(const json_t *value);

#endif
