/* model.c - what is configured, as structs, and how they are freed
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "nerve/config/model.h"

const char *check_kind_name(enum check_kind kind) {
    static const char *const names[] = {
        [CHECK_TCP] = "tcp",   [CHECK_HTTP] = "http", [CHECK_GRPC] = "grpc",
        [CHECK_EXEC] = "exec", [CHECK_NOOP] = "noop", [CHECK_PUSH] = "push",
    };

    return names[kind];
}

const char *node_type_name(enum node_type type) {
    static const char *const names[NODE_TYPES] = {
        [NODE_EPHEMERAL_SEQUENTIAL] = "ephemeral_sequential",
        [NODE_EPHEMERAL] = "ephemeral",
        [NODE_PERSISTENT] = "persistent",
        [NODE_PERSISTENT_SEQUENTIAL] = "persistent_sequential",
    };

    return names[type];
}

bool config_is_persistent(const struct service_config *service) {
    return service->node_type == NODE_PERSISTENT ||
           service->node_type == NODE_PERSISTENT_SEQUENTIAL;
}

bool config_is_sequential(const struct service_config *service) {
    return service->node_type == NODE_EPHEMERAL_SEQUENTIAL ||
           service->node_type == NODE_PERSISTENT_SEQUENTIAL;
}

const struct check_config *
config_push_check(const struct service_config *service) {
    for (size_t i = 0; i < service->check_count; i++)
        if (service->checks[i].kind == CHECK_PUSH)
            return &service->checks[i];
    return NULL;
}

void check_config_close(struct check_config *check) {
    for (size_t i = 0; i < check->header_count; i++)
        free(check->headers[i]);
    for (size_t i = 0; check->command && check->command[i]; i++)
        free(check->command[i]);
    free(check->command);
    free(check->headers);
    free(check->statuses);
    free(check->service);
    free(check->sni);
    free(check->ca_file);
    free(check->method);
    free(check->send);
    free(check->expect);
    free(check->uri);
    free(check->host);
    free(check->name);
}

void service_config_close(struct service_config *service) {
    for (size_t i = 0; i < service->check_count; i++)
        check_config_close(&service->checks[i]);
    free(service->checks);
    free(service->checking);
    free(service->instance_id);
    free(service->node);
    free(service->identity);
    free(service->payload);
    free(service->zk_path);
    free(service->ensemble);
    free(service->port);
    free(service->host);
    free(service->name);
}

struct service_config *service_config_move(struct service_config *from) {
    struct service_config *to = malloc(sizeof(*to));

    if (!to)
        return NULL;
    *to = *from;
    memset(from, 0, sizeof(*from));
    return to;
}

void service_config_free(struct service_config *service) {
    if (!service)
        return;
    service_config_close(service);
    free(service);
}

void service_config_swap_registration(struct service_config *a,
                                      struct service_config *b) {
    struct service_config old = *a;

    *a = *b;
    a->checking = old.checking;
    a->check_interval_ms = old.check_interval_ms;
    a->rate = old.rate;
    a->checks = old.checks;
    a->check_count = old.check_count;
    old.checking = b->checking;
    old.check_interval_ms = b->check_interval_ms;
    old.rate = b->rate;
    old.checks = b->checks;
    old.check_count = b->check_count;
    *b = old;
}

void config_secret_free(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void config_free(struct config *config) {
    if (!config)
        return;
    for (size_t i = 0; i < config->service_count; i++)
        service_config_close(&config->services[i]);
    notes_close(&config->notes);
    free(config->services);
    free(config->statsd.host);
    free(config->metrics.host);
    free(config->holds_path);
    free(config->control_socket);
    free(config->heartbeat_path);
    config_secret_free(config->auth);
    free(config->instance_id);
    free(config);
}

void notes_add(struct notes *notes, enum event_level level, char *text) {
    struct note *list = NULL;

    if (notes && text)
        list = realloc(notes->list, (notes->count + 1) * sizeof(*list));
    if (!list) {
        free(text);
        return;
    }
    notes->list = list;
    list[notes->count++] = (struct note){.level = level, .text = text};
}

void notes_close(struct notes *notes) {
    for (size_t i = 0; i < notes->count; i++)
        free(notes->list[i].text);
    free(notes->list);
    *notes = (struct notes){0};
}
