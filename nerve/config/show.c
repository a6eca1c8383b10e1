/* show.c - a service's configuration without what may be a secret
 *
 * Shown is what the tables of fields say may be: a key that is new is hidden
 * until its row says otherwise.
 * SPDX-License-Identifier: MIT
 */
#include "nerve/config/show.h"
#include "nerve/config/fields.h"
#include "nerve/config/model.h"

/* Returns the value at <member> as JSON, a new reference, or NULL. */
static json_t *value_json(const struct field *field, const void *member) {
    if (field_is_string(field)) {
        const char *string = *(char *const *)member;

        if (field->only_whether)
            return json_boolean(string);
        return string ? json_string(string) : json_null();
    }
    switch (field->kind) {
    case FIELD_BOOLEAN:
        return json_boolean(*(const bool *)member);
    case FIELD_OWN_ENUM:
        return json_string(node_type_name(*(const enum node_type *)member));
    case FIELD_COUNT:
    case FIELD_SECONDS:
        return json_integer(*(const unsigned int *)member);
    default:
        return json_integer(*(const int *)member);
    }
}

/* Returns what <fields> show of the struct at <base>: a new reference, or NULL
 * without memory. */
static json_t *fields_json(const struct field *fields, const void *base) {
    json_t *json = json_object();

    for (; fields->key; fields++)
        if (fields->shown &&
            json_object_set_new(json, fields->shown,
                                value_json(fields, field_of(fields, base)))) {
            json_decref(json);
            return NULL;
        }
    return json;
}

static json_t *check_json(const struct check_config *check) {
    json_t *json = fields_json(config_fields_check, check);

    json_object_set_new(json, "type",
                        json_string(check_kind_name(check->kind)));
    json_object_set_new(json, "headers",
                        json_integer((json_int_t)check->header_count));
    if (check->command)
        json_object_set_new(json, "program", json_string(check->command[0]));
    return json;
}

json_t *config_redacted(const struct service_config *service) {
    json_t *json = fields_json(config_fields_service, service);
    json_t *checks = json_array();

    for (size_t i = 0; i < service->check_count; i++)
        json_array_append_new(checks, check_json(&service->checks[i]));
    json_object_set_new(json, "rate_limiting",
                        json_boolean(service->rate.limited));
    json_object_set_new(json, "checks", checks);
    return json;
}
