/* compare.c - what a new configuration makes of the services that run
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nerve/config/compare.h"
#include "nerve/config/fields.h"
#include "nerve/config/model.h"

static bool is_same_value(const struct field *field, const void *a,
                          const void *b) {
    if (field_is_string(field))
        return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    if (field->kind == FIELD_BOOLEAN)
        return *(const bool *)a == *(const bool *)b;
    return field->kind == FIELD_OWN ||
           *(const unsigned int *)a == *(const unsigned int *)b;
}

/* Tells whether <a> and <b> have the same values in all fields whose change
 * means <change>. Fields without a member are left out. */
static bool is_same(unsigned int change, const struct service_config *a,
                    const struct service_config *b) {
    for (const struct field *f = config_fields_service; f->key; f++)
        if (f->change & change &&
            !is_same_value(f, field_of(f, a), field_of(f, b)))
            return false;
    return true;
}

/* Tells whether both can have the same znode; then at most its data has to
 * change. A sequential znode is known by the instance that its data names. */
static bool is_same_registration(const struct service_config *a,
                                 const struct service_config *b) {
    return is_same(CHANGES_ZNODE, a, b) &&
           (!config_is_sequential(a) || strcmp(a->identity, b->identity) == 0);
}

static struct config_outcome find_outcome(const struct service_config *service,
                                          const struct service_config *next,
                                          size_t next_count) {
    for (size_t i = 0; i < next_count; i++)
        if (is_same_registration(service, &next[i]))
            return (struct config_outcome){.kind = OUTCOME_KEPT, .by = i};
    for (size_t i = 0; i < next_count; i++)
        if (strcmp(service->name, next[i].name) == 0)
            return (struct config_outcome){.kind = OUTCOME_REPLACED, .by = i};
    return (struct config_outcome){.kind = OUTCOME_REMOVED};
}

void config_compare(const struct service_config *const *running, size_t count,
                    const struct service_config *next, size_t next_count,
                    struct config_outcome *outcomes) {
    for (size_t i = 0; i < count; i++)
        outcomes[i] = find_outcome(running[i], next, next_count);
}

bool config_same_checks(const struct service_config *a,
                        const struct service_config *b) {
    return strcmp(a->checking, b->checking) == 0;
}

bool config_same_payload(const struct service_config *a,
                         const struct service_config *b) {
    return strcmp(a->payload, b->payload) == 0;
}

bool config_same_service(const struct service_config *a,
                         const struct service_config *b) {
    return is_same(CHANGES_SETTING, a, b) && config_same_payload(a, b) &&
           config_same_checks(a, b);
}
