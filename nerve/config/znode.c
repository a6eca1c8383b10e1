/* znode.c - where a service is registered, and as what, read from JSON
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/read.h"
#include "nerve/config/value.h"
#include "nerve/config/znode.h"

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

int config_znode_read(struct service_config *service, const json_t *json,
                      const char *at, struct config *config,
                      struct error *err) {
    if (refuse_reporters(json, at, err) != 0 ||
        read_node_type(service, json, at, config, err) != 0 ||
        read_ensemble(service, json, at, err) != 0)
        return -1;
    return read_path(service, json, at, err);
}
