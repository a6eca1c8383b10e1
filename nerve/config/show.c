/* show.c - a service's configuration without what may be a secret
 *
 * It names what is shown, not what is hidden: a key that is new is hidden
 * until somebody shows it.
 * SPDX-License-Identifier: MIT
 */
#include "nerve/config/show.h"
#include "nerve/config/model.h"

static const char *const kinds[] = {"tcp", "http", "exec", "noop"};

static json_t *check_json(const struct check_config *check) {
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:s*, s:i, s:b, s:b, s:b, "
                     "s:b}",
                     "type", kinds[check->kind], "host", check->host, "port",
                     check->port, "timeout_ms", (int)check->timeout_ms, "rise",
                     (int)check->rise, "fall", (int)check->fall, "program",
                     check->command ? check->command[0] : NULL, "headers",
                     (int)check->header_count, "sends", check->send != NULL,
                     "expects", check->expect != NULL, "ssl", check->tls,
                     "verify", check->verify);
}

json_t *config_redacted(const struct service_config *service) {
    json_t *checks = json_array();

    for (size_t i = 0; i < service->check_count; i++)
        json_array_append_new(checks, check_json(&service->checks[i]));
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:i, s:b, s:i, s:i, s:i, s:b, "
        "s:o}",
        "name", service->name, "host", service->host, "port", service->port,
        "zk_hosts", service->ensemble, "zk_path", service->zk_path, "node_type",
        (int)service->node_type, "use_path_encoding", service->encoded,
        "session_timeout_ms", service->session_timeout_ms, "check_interval_ms",
        (int)service->check_interval_ms, "ttl_ms", (int)service->ttl_ms,
        "rate_limiting", service->rate.limited, "checks", checks);
}
