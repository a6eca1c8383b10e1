/* fuzz_config.c - fuzz of nerve's configuration: a mistake is named, and what
 * is taken is right in every part
 *
 * Every directory is empty: scandir() is the one below.
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "csrc/base/error.h"
#include "nerve/config/model.h"
#include "nerve/config/payload.h"
#include "nerve/config/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Linked in place of scandir(). */
int __wrap_scandir(const char *path, struct dirent ***entries,
                   int (*wanted)(const struct dirent *),
                   int (*compare)(const struct dirent **,
                                  const struct dirent **));
int __wrap_scandir(const char *path, struct dirent ***entries,
                   int (*wanted)(const struct dirent *),
                   int (*compare)(const struct dirent **,
                                  const struct dirent **)) {
    (void)path;
    (void)wanted;
    (void)compare;
    *entries = NULL;
    return 0;
}

static bool is_port(int port) { return port >= 1 && port <= 65535; }

static void check_check(const struct check_config *check) {
    assert(check->name && check->host && is_port(check->port));
    assert(check->timeout_ms > 0 && check->rise > 0 && check->fall > 0);
    assert(check->kind == CHECK_TCP || check->uri[0] == '/');
    for (size_t i = 0; i < check->status_count; i++)
        assert(check->statuses[i].first >= 200 &&
               check->statuses[i].first <= check->statuses[i].last &&
               check->statuses[i].last <= 999);
    for (size_t i = 0; i < check->header_count; i++)
        assert(strpbrk(check->headers[i], "\r\n") == NULL);
}

/* What is published is JSON, and says whose it is. */
static void check_payload(const struct service_config *service) {
    json_t *json = json_loads(service->payload, 0, NULL);

    assert(json_is_object(json));
    assert(strcmp(json_string_value(json_object_get(json, "host")),
                  service->host) == 0);
    assert(payload_is_of(service->payload, strlen(service->payload),
                         service->identity));
    json_decref(json);
}

static void check_service(const struct service_config *service) {
    assert(service->name && service->ensemble && service->zk_path[0] == '/');
    assert(is_port(atoi(service->port)));
    assert(service->node && !strchr(service->node, '/'));
    assert(service->check_interval_ms > 0);
    check_payload(service);
    for (size_t i = 0; i < service->check_count; i++)
        check_check(&service->checks[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {.text = ""};
    struct config *config =
        config_parse((const char *)data, size, "i-1", NULL, &err);

    assert(!config == (err.text[0] != '\0'));
    if (config) {
        assert(config->session_timeout_ms > 0);
        for (size_t i = 0; i < config->service_count; i++)
            check_service(&config->services[i]);
        for (size_t i = 0; i < config->notes.count; i++)
            assert(config->notes.list[i].text[0] != '\0');
    }
    config_free(config);
    return 0;
}
