/* service.c - one service, read from JSON: where it is registered, what its
 * znode says, how it is checked
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <math.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "csrc/base/text.h"
#include "nerve/config/checks.h"
#include "nerve/config/fields.h"
#include "nerve/config/model.h"
#include "nerve/config/payload.h"
#include "nerve/config/reader.h"
#include "nerve/config/service.h"
#include "nerve/config/value.h"

/* airbnb's nerve has other reporters too, which write elsewhere. */
static void refuse_reporters(struct reader *r, const json_t *json) {
    const json_t *value = json_object_get(json, "reporter_type");
    const char *given = json_string_value(value);

    if (value && (!given || strcasecmp(given, "zookeeper") != 0))
        value_wrong(r, value, "reporter_type",
                    "supported; leave it out, or say \"zookeeper\"");
}

static void read_node_type(struct reader *r, const json_t *json,
                           struct service_config *service) {
    const json_t *value = json_object_get(json, "node_type");
    const char *given = json_string_value(value);
    int i = 0;

    while (given && i < NODE_TYPES &&
           strcmp(given, node_type_name((enum node_type)i)) != 0)
        i++;
    if (value && !json_is_null(value) && (!given || i == NODE_TYPES)) {
        value_wrong(r, value, "node_type",
                    "a type of znode (ephemeral_sequential, ephemeral, "
                    "persistent, persistent_sequential)");
        return;
    }
    service->node_type = (enum node_type)i;
    if (service->ttl_ms && !config_is_persistent(service))
        reader_note(r, LEVEL_INFO, "ttl_seconds",
                    "has no effect on ephemeral znodes");
}

/* What a ZooKeeper server accepts as a path, and more than the root. */
static bool is_znode_path(const char *path) {
    size_t part;

    if (*path != '/')
        return false;
    while (*path) {
        part = strcspn(++path, "/");
        if (part == 0 || (part == 1 && path[0] == '.') ||
            (part == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += part;
    }
    return true;
}

/* What has a colon is an IPv6 address, in brackets or not; "::1" alone cannot
 * mean a port behind its last colon. */
static bool is_host(const char *host, size_t length) {
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE];
    struct in6_addr address;

    if (!memchr(host, ':', length) && *host != '[')
        return length > 0;
    if (length > 2 && *host == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length >= sizeof(text))
        return false;
    memcpy(text, host, length);
    text[length] = '\0';
    text[strcspn(text, "%")] = '\0'; /* a link-local address has a device */
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* Tells whether <server> is "host:port", or that and a chroot. */
static bool is_server(const char *server) {
    size_t length = strcspn(server, "/");
    const char *colon = memrchr(server, ':', length);
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

    if (!colon || strcspn(server, " ,\t") < length ||
        !is_host(server, (size_t)(colon - server)))
        return false;
    if (server[length] && !is_znode_path(server + length))
        return false;
    return digits > 0 && digits < 6 && atoi(colon + 1) > 0 &&
           atoi(colon + 1) < 65536 && colon + 1 + digits == server + length;
}

static int compare_hosts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the servers, so that one ensemble has one session whatever their
 * order is. The chroot, which follows one of them, is put at the end. */
static char *join_sorted(const json_t *list) {
    size_t count = json_array_size(list);
    const char **hosts = calloc(count, sizeof(*hosts));
    const char *chroot = "";
    struct text joined = {0};

    if (!hosts)
        return NULL;
    for (size_t i = 0; i < count; i++)
        hosts[i] = json_string_value(json_array_get(list, i));
    qsort(hosts, count, sizeof(*hosts), compare_hosts);
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(hosts[i], "/");

        text_printf(&joined, "%s%.*s", i ? "," : "", (int)length, hosts[i]);
        if (hosts[i][length])
            chroot = hosts[i] + length;
    }
    text_puts(&joined, chroot);
    free(hosts);
    return text_take(&joined);
}

/* All servers have one tree: two chroots cannot both be meant. Tells whether
 * there is at most one. */
static bool check_chroots(struct reader *r, const json_t *list) {
    const char *first = NULL, *chroot;

    for (size_t i = 0; i < json_array_size(list); i++) {
        chroot = strchr(json_string_value(json_array_get(list, i)), '/');
        if (first && chroot && strcmp(first, chroot) != 0) {
            reader_fail(r, "zk_hosts",
                        "\"%.100s\" and \"%.100s\": one chroot holds for all "
                        "servers",
                        first, chroot);
            return false;
        }
        first = first ? first : chroot;
    }
    return true;
}

/* Adds the <length> bytes of <at> to <parts>: one server, or nothing but
 * spaces. A "/" at its end means nothing. */
static void add_server(struct reader *r, json_t *parts, const char *at,
                       size_t length, const char *key) {
    json_t *part;

    for (; length && *at == ' '; length--)
        at++;
    while (length && (at[length - 1] == ' ' || at[length - 1] == '/'))
        length--;
    if (!length)
        return;
    part = json_stringn(at, length);
    if (part && !is_server(json_string_value(part)))
        value_wrong(r, part, key, "a server (\"host:port\")");
    if (json_array_append_new(parts, part) != 0)
        reader_no_memory(r, key);
}

/* Adds the servers of <element> to <parts>: it may be a whole connect string,
 * as "zk1:2181,zk2:2181/apps". What makes such a string in a loop leaves a
 * comma at its end. */
static void add_servers(struct reader *r, json_t *parts, const json_t *element,
                        const char *key) {
    const char *at = json_string_value(element);
    size_t before = json_array_size(parts);

    for (; at && *at; at += strspn(at, ",")) {
        size_t length = strcspn(at, ",");

        add_server(r, parts, at, length, key);
        at += length;
    }
    if (json_array_size(parts) == before)
        value_wrong(r, element, key, "a server (\"host:port\")");
}

static void read_ensemble(struct reader *r, const json_t *json,
                          struct service_config *service) {
    size_t errors = r->errors;
    const json_t *list = value_list(r, json, "zk_hosts");
    json_t *parts = json_array();

    if (json_array_size(list) == 0 && !reader_failed_since(r, errors))
        reader_fail(r, "zk_hosts",
                    "missing; it must be a list such as [\"zk1:2181\", "
                    "\"zk2:2181\"]");
    for (size_t i = 0; i < json_array_size(list); i++) {
        char key[40];

        snprintf(key, sizeof(key), "zk_hosts[%zu]", i);
        add_servers(r, parts, json_array_get(list, i), key);
    }
    if (!reader_failed_since(r, errors) && check_chroots(r, parts)) {
        service->ensemble = join_sorted(parts);
        if (!service->ensemble)
            reader_no_memory(r, NULL);
    }
    json_decref(parts);
}

static void check_path(struct reader *r, const json_t *json,
                       const struct service_config *service) {
    if (service->zk_path && !is_znode_path(service->zk_path))
        value_wrong(r, json_object_get(json, "zk_path"), "zk_path",
                    "a znode's path (begins with /, does not end with it, no "
                    "empty part)");
}

/* Reads "rate_limiting" into <rate> (zeroed). */
static void read_rate(struct reader *r, const json_t *json,
                      struct rate_config *rate) {
    const json_t *limits = value_object(r, json, "rate_limiting");
    size_t entered;

    if (!limits)
        return;
    entered = reader_enter(r, "rate_limiting");
    rate->shadow_mode = true;
    rate->average_rate = rate->max_burst = INFINITY;
    value_fields(r, limits, config_fields_rate, 0, rate);
    rate->limited = isfinite(rate->average_rate);
    if (rate->limited && rate->shadow_mode)
        reader_note(r, LEVEL_INFO, NULL,
                    "shadow_mode is true, so nothing is throttled, only told");
    value_check_keys(r, limits, config_fields_rate, 0);
    reader_leave(r, entered);
}

#define DEFAULT_INTERVAL_MS 500
#define PAYLOAD_MAX         65536 /* bytes that readers are sure to take */

/* Where a program gets its address when it starts, as in a container, no file
 * can have it: NERVE_HOST of the environment stands for a host that is left
 * out. */
static void read_host(struct reader *r, const json_t *json,
                      struct service_config *service) {
    const json_t *given = json_object_get(json, "host");
    const char *host = getenv("NERVE_HOST");
    bool missing = (!given || json_is_null(given)) && host && *host;
    json_t *made = missing ? json_pack("{s:s}", "host", host) : NULL;

    if (missing && !made)
        reader_fail(r, "host", "what NERVE_HOST says is not UTF-8");
    else
        value_required_string(r, made ? made : json, "host",
                              "an address or a name, here or in NERVE_HOST",
                              &service->host);
    json_decref(made);
}

static void read_port(struct reader *r, const json_t *json,
                      struct service_config *service) {
    size_t errors = r->errors;
    char digits[16];
    int port = 0;

    value_port(r, json, "port", &port);
    if (port) {
        snprintf(digits, sizeof(digits), "%d", port);
        service->port = strdup(digits);
        if (!service->port)
            reader_no_memory(r, NULL);
    } else if (!reader_failed_since(r, errors)) {
        reader_fail(r, "port", "missing; it must be a port (1 to 65535)");
    }
}

/* An object that has nothing in it: many programs write an empty list then. */
static bool is_empty_list(const json_t *value) {
    return json_is_array(value) && json_array_size(value) == 0;
}

/* Returns the member <key> as JSON text, owned, or NULL if there is none. */
static char *copy_json(struct reader *r, const json_t *json, const char *key) {
    const json_t *value = json_object_get(json, key);
    char *text = value ? json_text(value) : NULL;

    if (value && !text)
        reader_no_memory(r, NULL);
    return text;
}

/* A znode above the servers' own limit ends the connection, again and again. */
static void check_size(struct reader *r, const struct service_config *service) {
    size_t length = strlen(service->payload);

    if (length > PAYLOAD_MAX)
        reader_fail(r, NULL,
                    "its znode would hold %zu bytes, more than %d; shorten "
                    "labels or haproxy_server_options",
                    length, PAYLOAD_MAX);
}

/* Formats all that depends on the payload's parts. Returns 0, or -1 without
 * memory. */
static int format_payload(struct service_config *service,
                          const struct payload *payload) {
    service->payload = payload_format(payload);
    service->identity = payload_identity(payload);
    if (!service->payload || !service->identity)
        return -1;
    service->instance_id = strdup(payload->name);
    service->node =
        service->encoded
            ? payload_encoded_node_name(payload->name, service->payload)
            : payload_node_name(payload->name);
    return service->node && service->instance_id ? 0 : -1;
}

/* Makes what is published. Without a host, a port or an instance_id, which is
 * an error already, only its parts are checked. */
static void read_payload(struct reader *r, const json_t *json,
                         struct service_config *service) {
    size_t errors = r->errors;
    char *port = copy_json(r, json, "port");
    char *options = copy_json(r, json, "haproxy_server_options");
    char *labels = is_empty_list(json_object_get(json, "labels"))
                       ? strdup("{}")
                       : copy_json(r, json, "labels");
    struct payload payload = {.host = service->host,
                              .name = r->config->instance_id,
                              .weight = -1,
                              .port_json = port,
                              .options_json = options,
                              .labels_json = labels};

    value_weight(r, json, "weight", &payload.weight);
    if (service->host && service->port && payload.name &&
        !reader_failed_since(r, errors)) {
        if (format_payload(service, &payload) == 0)
            check_size(r, service);
        else
            reader_no_memory(r, NULL);
    }
    free(labels);
    free(options);
    free(port);
}

/* Keeps the JSON that the checks are made of, so that a later configuration can
 * be compared with it. */
static void keep_checking(struct reader *r, const json_t *json,
                          struct service_config *service) {
    const struct field *field = config_fields_service;
    json_t *all = json_object(), *value;
    int status = all ? 0 : -1;

    for (; status == 0 && field->key; field++) {
        value = json_object_get(json, field->key);
        if (value && field_is_key(field) && field->change & CHANGES_CHECKS)
            status = json_object_set(all, field->key, value);
    }
    if (status == 0)
        service->checking = json_text(all);
    json_decref(all);
    if (!service->checking)
        reader_no_memory(r, NULL);
}

/* A report names a service and no check, so at most one check can be meant. */
static void refuse_second_push(struct reader *r,
                               const struct service_config *service) {
    const struct check_config *first = config_push_check(service);

    for (size_t i = 0; i < service->check_count; i++) {
        size_t entered = reader_enter(r, "checks[%zu]", i);

        if (service->checks[i].kind == CHECK_PUSH &&
            &service->checks[i] != first)
            reader_fail(r, "type",
                        "a service has one push check at most; checks[%zu] is "
                        "one",
                        (size_t)(first - service->checks));
        reader_leave(r, entered);
    }
}

static void read_checks(struct reader *r, const json_t *json,
                        struct service_config *service) {
    size_t errors = r->errors, entered;
    const json_t *list;
    bool mocked = false;

    value_boolean(r, json, "check_mocked", &mocked);
    list = value_list(r, json, "checks");
    if (reader_failed_since(r, errors))
        return;
    if (mocked || json_array_size(list) == 0) {
        reader_note(r, LEVEL_INFO, NULL, "no checks, always up");
        return;
    }
    service->checks = calloc(json_array_size(list), sizeof(*service->checks));
    if (!service->checks) {
        reader_no_memory(r, NULL);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        entered = reader_enter(r, "checks[%zu]", i);
        check_config_read(r, json_array_get(list, i), service,
                          &service->checks[service->check_count++]);
        reader_leave(r, entered);
    }
    refuse_second_push(r, service);
}

static void read_service(struct reader *r, const json_t *json,
                         struct service_config *service) {
    read_host(r, json, service);
    value_fields(r, json, config_fields_service, 0, service);
    read_port(r, json, service);
    refuse_reporters(r, json);
    read_node_type(r, json, service);
    read_ensemble(r, json, service);
    check_path(r, json, service);
    read_payload(r, json, service);
    read_rate(r, json, &service->rate);
    read_checks(r, json, service);
    keep_checking(r, json, service);
}

int service_config_restore_checks(struct service_config *service,
                                  struct error *err) {
    json_t *json = json_loads(service->checking, 0, NULL);
    struct reader r = {.err = err};

    reader_enter(&r, "%s", service->name);
    if (json) {
        service->check_interval_ms = DEFAULT_INTERVAL_MS;
        value_seconds(&r, json, "check_interval", &service->check_interval_ms);
        read_rate(&r, json, &service->rate);
        read_checks(&r, json, service);
    } else {
        reader_no_memory(&r, NULL);
    }
    json_decref(json);
    return r.errors ? -1 : 0;
}

static void note_odd_types(struct reader *r, const json_t *json) {
    const json_t *options = json_object_get(json, "haproxy_server_options");
    const json_t *labels = json_object_get(json, "labels");

    if (options && !json_is_string(options))
        reader_note(r, LEVEL_WARNING, "haproxy_server_options",
                    "not a string; published as it is, readers may drop it");
    if (labels && !json_is_object(labels) && !is_empty_list(labels))
        reader_note(r, LEVEL_WARNING, "labels",
                    "not an object; published as it is, readers may drop it");
}

void service_config_read(struct reader *r, const char *name, const json_t *json,
                         struct service_config *service) {
    if (!json_is_object(json)) {
        reader_fail(r, NULL, "must be an object ({...})");
        return;
    }
    service->session_timeout_ms = r->config->session_timeout_ms;
    service->creator_acl = r->config->creator_acl;
    service->check_interval_ms = DEFAULT_INTERVAL_MS;
    service->name = strdup(name);
    if (!service->name)
        reader_no_memory(r, NULL);
    read_service(r, json, service);
    note_odd_types(r, json);
    value_check_keys(r, json, config_fields_service, 0);
}
