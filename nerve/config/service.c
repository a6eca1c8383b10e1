/* service.c - one service, read from JSON: where it is registered, what its
 * znode says, how it is checked
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/checks.h"
#include "nerve/config/keys.h"
#include "nerve/config/model.h"
#include "nerve/config/payload.h"
#include "nerve/config/service.h"
#include "nerve/config/value.h"

/* airbnb's nerve has other reporters too, which write elsewhere. */
static int refuse_reporters(const json_t *json, const char *at,
                            struct error *err) {
    const json_t *value = json_object_get(json, "reporter_type");
    const char *given = json_string_value(value);

    if (!value || (given && strcmp(given, "zookeeper") == 0))
        return 0;
    return value_wrong(value, at, "reporter_type",
                       "supported; leave it out, or say \"zookeeper\"", err);
}

static int read_node_type(struct service_config *service, const json_t *json,
                          const char *at, struct config *config,
                          struct error *err) {
    static const char *const names[] = {
        [NODE_EPHEMERAL_SEQUENTIAL] = "ephemeral_sequential",
        [NODE_EPHEMERAL] = "ephemeral",
        [NODE_PERSISTENT] = "persistent",
        [NODE_PERSISTENT_SEQUENTIAL] = "persistent_sequential",
    };
    const json_t *value = json_object_get(json, "node_type");
    const char *given = json_string_value(value);
    size_t i = 0;

    while (given && i < 4 && strcmp(given, names[i]) != 0)
        i++;
    if (value && !json_is_null(value) && (!given || i == 4))
        return value_wrong(value, at, "node_type",
                           "a type of znode (ephemeral_sequential, ephemeral, "
                           "persistent, persistent_sequential)",
                           err);
    service->node_type = (enum node_type)i;
    if (value_seconds(json, at, "ttl_seconds", &service->ttl_ms, err) != 0)
        return -1;
    if (service->ttl_ms && !config_is_persistent(service))
        config_note(config, LEVEL_INFO,
                    "%s.ttl_seconds: has no effect on ephemeral znodes", at);
    return 0;
}

static bool is_ensemble_host(const char *host) {
    const char *colon = host ? strrchr(host, ':') : NULL;
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

    if (!host || strpbrk(host, " ,\t") || !colon || colon == host)
        return false;
    return digits > 0 && digits < 6 && atoi(colon + 1) > 0 &&
           atoi(colon + 1) < 65536 &&
           (colon[1 + digits] == '\0' || colon[1 + digits] == '/');
}

static int compare_hosts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, so that one ensemble has one session whatever the order is; the
 * chroot, which stands behind one of the hosts, comes last. */
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

/* All servers have one tree: two chroots cannot both be meant. */
static int check_chroots(const json_t *list, const char *at,
                         struct error *err) {
    const char *first = NULL, *chroot;

    for (size_t i = 0; i < json_array_size(list); i++) {
        chroot = strchr(json_string_value(json_array_get(list, i)), '/');
        if (first && chroot && strcmp(first, chroot) != 0) {
            error_set(err,
                      "%s.zk_hosts: \"%.100s\" and \"%.100s\": one chroot "
                      "holds for all servers",
                      at, first, chroot);
            return -1;
        }
        first = first ? first : chroot;
    }
    return 0;
}

static int read_ensemble(struct service_config *service, const json_t *json,
                         const char *at, struct error *err) {
    const json_t *list = NULL;
    char key[40];

    if (value_list(json, at, "zk_hosts", &list, err) != 0)
        return -1;
    if (json_array_size(list) == 0) {
        error_set(err,
                  "%s.zk_hosts: missing; it must be a list such as "
                  "[\"zk1:2181\", \"zk2:2181\"]",
                  at);
        return -1;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        snprintf(key, sizeof(key), "zk_hosts[%zu]", i);
        if (!is_ensemble_host(json_string_value(json_array_get(list, i))))
            return value_wrong(json_array_get(list, i), at, key,
                               "a server (\"host:port\")", err);
    }
    if (check_chroots(list, at, err) != 0)
        return -1;
    service->ensemble = join_sorted(list);
    if (service->ensemble)
        return 0;
    error_set(err, "%s: out of memory", at);
    return -1;
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

static int read_path(struct service_config *service, const json_t *json,
                     const char *at, struct error *err) {
    if (value_required_string(json, at, "zk_path",
                              "a path such as "
                              "\"/nerve/services/web/services\"",
                              &service->zk_path, err) != 0)
        return -1;
    if (is_znode_path(service->zk_path))
        return 0;
    return value_wrong(json_object_get(json, "zk_path"), at, "zk_path",
                       "a znode's path (begins with /, does not end with it, "
                       "no empty part)",
                       err);
}

/* Reads the ensemble, the path and the type of znode of <service> from <json>,
 * which stands at the place <at>. Notes go to <config>. Returns 0, or -1 with
 * <err>. */
static int read_znode(struct service_config *service, const json_t *json,
                      const char *at, struct config *config,
                      struct error *err) {
    if (refuse_reporters(json, at, err) != 0 ||
        read_node_type(service, json, at, config, err) != 0 ||
        read_ensemble(service, json, at, err) != 0)
        return -1;
    return read_path(service, json, at, err);
}

/* Reads a number from <min>. Absent or null, <out> stays as it is. */
static int read_number(const json_t *json, const char *at, const char *key,
                       double min, double *out, struct error *err) {
    const json_t *value = json_object_get(json, key);
    char right[40];

    if (!value || json_is_null(value))
        return 0;
    snprintf(right, sizeof(right), "a number from %g", min);
    if (!json_is_number(value) || json_number_value(value) < min)
        return value_wrong(value, at, key, right, err);
    *out = json_number_value(value);
    return 0;
}

/* Reads the member "rate_limiting" of the service <json>, which stands at the
 * place <at>, into <rate> (zeroed). Notes go to <config>. Returns 0, or -1
 * with <err>. */
static int read_rate(struct rate_config *rate, const json_t *json,
                     const char *at, struct config *config, struct error *err) {
    const json_t *limits = NULL;
    char place[320];

    if (value_object(json, at, "rate_limiting", &limits, err) != 0)
        return -1;
    if (!limits)
        return 0;
    snprintf(place, sizeof(place), "%s.rate_limiting", at);
    rate->shadow_mode = true;
    rate->average_rate = rate->max_burst = INFINITY;
    if (read_number(limits, place, "average_rate", 0, &rate->average_rate,
                    err) != 0 ||
        read_number(limits, place, "max_burst", 1, &rate->max_burst, err) !=
            0 ||
        value_boolean(limits, place, "shadow_mode", &rate->shadow_mode, err) !=
            0)
        return -1;
    rate->limited = isfinite(rate->average_rate);
    if (rate->limited && rate->shadow_mode)
        config_note(config, LEVEL_INFO,
                    "%s: shadow_mode is true, so nothing is held back, only "
                    "told",
                    place);
    value_check_keys(config, limits, place, config_keys_rate);
    return 0;
}

#define DEFAULT_INTERVAL_MS 500
#define PAYLOAD_MAX         65536 /* bytes that readers are sure to take */

static int out_of_memory(const char *at, struct error *err) {
    error_set(err, "%s: out of memory", at);
    return -1;
}

static int read_address(struct service_config *service, const json_t *json,
                        const char *at, struct error *err) {
    char digits[16];
    int port = 0;

    if (value_required_string(json, at, "host", "an address or a name",
                              &service->host, err) != 0)
        return -1;
    if (value_port(json, at, "port", &port, err) != 0)
        return -1;
    if (!port) {
        error_set(err, "%s.port: missing; it must be a port (1 to 65535)", at);
        return -1;
    }
    snprintf(digits, sizeof(digits), "%d", port);
    service->port = strdup(digits);
    return service->port ? 0 : out_of_memory(at, err);
}

/* Copies the member <key> as JSON text, if it is there. */
static int copy_json(const json_t *json, const char *at, const char *key,
                     char **out, struct error *err) {
    const json_t *value = json_object_get(json, key);

    if (value)
        *out = json_text(value);
    return value && !*out ? out_of_memory(at, err) : 0;
}

/* A znode above the servers' own limit ends the connection, again and again. */
static int check_size(const struct service_config *service, const char *at,
                      struct error *err) {
    size_t length = strlen(service->payload);

    if (length <= PAYLOAD_MAX)
        return 0;
    error_set(err,
              "%s: its znode would hold %zu bytes, more than %d; shorten "
              "labels or haproxy_server_options",
              at, length, PAYLOAD_MAX);
    return -1;
}

/* Formats all that depends on the payload's parts. */
static int format_payload(struct service_config *service,
                          const struct payload *payload,
                          bool use_path_encoding) {
    service->payload = payload_format(payload);
    service->identity = payload_identity(payload);
    if (!service->payload || !service->identity)
        return -1;
    service->encoded = use_path_encoding;
    service->instance_id = strdup(payload->name);
    service->node =
        use_path_encoding
            ? payload_encoded_node_name(payload->name, service->payload)
            : payload_node_name(payload->name);
    return service->node && service->instance_id ? 0 : -1;
}

static int read_payload(struct service_config *service, const json_t *json,
                        const char *at, const char *instance_id,
                        struct error *err) {
    struct payload payload = {
        .host = service->host, .name = instance_id, .weight = -1};
    char *port = NULL, *options = NULL, *labels = NULL;
    bool encoded = false;
    int status = -1;

    if (value_boolean(json, at, "use_path_encoding", &encoded, err) == 0 &&
        value_weight(json, at, "weight", &payload.weight, err) == 0 &&
        copy_json(json, at, "port", &port, err) == 0 &&
        copy_json(json, at, "haproxy_server_options", &options, err) == 0 &&
        copy_json(json, at, "labels", &labels, err) == 0) {
        payload.port_json = port;
        payload.options_json = options;
        payload.labels_json = labels;
        status = format_payload(service, &payload, encoded);
        if (status != 0)
            out_of_memory(at, err);
        else
            status = check_size(service, at, err);
    }
    free(labels);
    free(options);
    free(port);
    return status;
}

/* Adds the member <key> to <to>, if it is there. Returns 0, or -1 without
 * memory. */
static int copy_member(json_t *to, const json_t *from, const char *key) {
    json_t *value = json_object_get(from, key);

    return value ? json_object_set(to, key, value) : 0;
}

/* Keeps what the checks are made of, so that a later configuration can be
 * compared with it. */
static int keep_checking(struct service_config *service, const json_t *json,
                         const char *at, struct error *err) {
    json_t *all = json_object();

    if (all && copy_member(all, json, "host") == 0 &&
        copy_member(all, json, "port") == 0 &&
        copy_member(all, json, "check_interval") == 0 &&
        copy_member(all, json, "check_mocked") == 0 &&
        copy_member(all, json, "rate_limiting") == 0 &&
        copy_member(all, json, "checks") == 0)
        service->checking = json_text(all);
    json_decref(all);
    return service->checking ? 0 : out_of_memory(at, err);
}

static int read_checks(struct service_config *service, const json_t *json,
                       const char *at, struct config *config,
                       struct error *err) {
    const json_t *list = NULL;
    bool mocked = false;
    char place[512];

    if (value_boolean(json, at, "check_mocked", &mocked, err) != 0 ||
        value_list(json, at, "checks", &list, err) != 0)
        return -1;
    if (mocked || json_array_size(list) == 0) {
        config_note(config, LEVEL_INFO, "%s: no checks, always up", at);
        return 0;
    }
    service->checks = calloc(json_array_size(list), sizeof(*service->checks));
    if (!service->checks)
        return out_of_memory(at, err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        snprintf(place, sizeof(place), "%s.checks[%zu]", at, i);
        service->check_count++;
        if (check_config_read(&service->checks[i], json_array_get(list, i),
                              place, service, config, err) != 0)
            return -1;
    }
    return 0;
}

/* Reads all that keep_checking() keeps, but for the address. */
static int read_checking(struct service_config *service, const json_t *json,
                         const char *at, struct config *config,
                         struct error *err) {
    service->check_interval_ms = DEFAULT_INTERVAL_MS;
    if (value_seconds(json, at, "check_interval", &service->check_interval_ms,
                      err) != 0 ||
        read_rate(&service->rate, json, at, config, err) != 0)
        return -1;
    return read_checks(service, json, at, config, err);
}

int service_config_restore_checks(struct service_config *service,
                                  struct error *err) {
    json_t *json = json_loads(service->checking, 0, NULL);
    struct config *unread = calloc(1, sizeof(*unread));
    int status = -1;

    if (json && unread)
        status = read_checking(service, json, service->name, unread, err);
    else
        out_of_memory(service->name, err);
    config_free(unread);
    json_decref(json);
    return status;
}

static void note_odd_types(const json_t *json, const char *at,
                           struct config *config) {
    const json_t *options = json_object_get(json, "haproxy_server_options");
    const json_t *labels = json_object_get(json, "labels");

    if (options && !json_is_string(options))
        config_note(config, LEVEL_WARNING,
                    "%s.haproxy_server_options: not a string; published as it "
                    "is, readers may drop it",
                    at);
    if (labels && !json_is_object(labels))
        config_note(config, LEVEL_WARNING,
                    "%s.labels: not an object; published as it is, readers "
                    "may drop it",
                    at);
}

int service_config_read(struct service_config *service, const char *name,
                        const json_t *json, struct config *config,
                        struct error *err) {
    char at[300];

    snprintf(at, sizeof(at), "services.%s", name);
    if (!json_is_object(json)) {
        error_set(err, "%s: must be an object ({...})", at);
        return -1;
    }
    service->session_timeout_ms = config->session_timeout_ms;
    service->creator_acl = config->creator_acl;
    service->name = strdup(name);
    if (!service->name)
        return out_of_memory(at, err);
    if (read_address(service, json, at, err) != 0 ||
        read_znode(service, json, at, config, err) != 0 ||
        read_payload(service, json, at, config->instance_id, err) != 0 ||
        read_checking(service, json, at, config, err) != 0 ||
        keep_checking(service, json, at, err) != 0)
        return -1;
    note_odd_types(json, at, config);
    value_check_keys(config, json, at, config_keys_service);
    return 0;
}
