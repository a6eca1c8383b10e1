/* fields.c - every key of a configuration, once
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>

#include "nerve/config/fields.h"
#include "nerve/config/model.h"

#define STREAK_MAX  1000000
#define DAY_SECONDS 86400

#define IGNORED(KEY) .key = KEY, .kind = FIELD_IGNORED
#define OWN(KEY)     .key = KEY, .kind = FIELD_OWN

#define TOP(KEY, KIND, MEMBER)                                                 \
    .key = KEY, .kind = FIELD_##KIND, .offset = offsetof(struct config, MEMBER)

const struct field config_fields_top[] = {
    {OWN("instance_id")},
    {OWN("services")},
    {OWN("service_conf_dir")},
    {TOP("session_timeout", SECONDS, session_timeout_ms)},
    {TOP("heartbeat_path", STRING, heartbeat_path)},
    {TOP("watchdog", COUNT, watchdog_s), .min = 1, .max = DAY_SECONDS},
    {TOP("control_socket", STRING, control_socket)},
    {TOP("holds_path", STRING, holds_path)},
    {OWN("auth")},
    {OWN("acl")},
    {OWN("statsd")},
    {OWN("metrics_listen")},
    {IGNORED("max_repeated_report_failures")},
    {IGNORED("listen_port")},
    {IGNORED("prometheus")},
    {.key = NULL},
};

const struct field config_fields_auth[] = {
    {OWN("user")},
    {OWN("password_file")},
    {.key = NULL},
};

const struct field config_fields_statsd[] = {
    {.key = "host",
     .kind = FIELD_STRING,
     .offset = offsetof(struct endpoint, host)},
    {.key = "port",
     .kind = FIELD_PORT,
     .offset = offsetof(struct endpoint, port)},
    {.key = NULL},
};

#define SERVICE(KEY, KIND, MEMBER)                                             \
    .key = KEY, .kind = FIELD_##KIND,                                          \
    .offset = offsetof(struct service_config, MEMBER)

const struct field config_fields_service[] = {
    {SERVICE("host", OWN_STRING, host), .change = CHANGES_CHECKS | CHANGES_DATA,
     .shown = "host", .handed = "host"},
    {SERVICE("port", OWN_STRING, port), .change = CHANGES_CHECKS | CHANGES_DATA,
     .shown = "port", .handed = "port"},
    {SERVICE("zk_hosts", OWN_STRING, ensemble), .change = CHANGES_ZNODE,
     .shown = "zk_hosts", .handed = "ensemble"},
    {SERVICE("zk_path", STRING, zk_path), .change = CHANGES_ZNODE,
     .shown = "zk_path", .handed = "zk_path",
     .required = "a path such as \"/nerve/services/web/services\""},
    {SERVICE("node_type", OWN_ENUM, node_type), .change = CHANGES_ZNODE,
     .shown = "node_type"},
    {SERVICE("use_path_encoding", BOOLEAN, encoded), .change = CHANGES_NOTHING,
     .shown = "use_path_encoding"}, /* what it changes is "node", below */
    {SERVICE("ttl_seconds", SECONDS, ttl_ms), .change = CHANGES_SETTING,
     .shown = "ttl_ms"},
    {SERVICE("check_interval", SECONDS, check_interval_ms),
     .change = CHANGES_CHECKS, .shown = "check_interval_ms"},
    {OWN("check_mocked"), .change = CHANGES_CHECKS},
    {OWN("checks"), .change = CHANGES_CHECKS},
    {OWN("rate_limiting"), .change = CHANGES_CHECKS},
    {OWN("weight"), .change = CHANGES_DATA},
    {OWN("haproxy_server_options"), .change = CHANGES_DATA},
    {OWN("labels"), .change = CHANGES_DATA},
    {OWN("reporter_type")},
    {IGNORED("load_test_concurrency")},
    {IGNORED("max_repeated_report_failures")},
    {IGNORED("ports")},
    {IGNORED("zk_cluster_name")},
    {IGNORED("etcd_host")},
    {IGNORED("etcd_port")},
    {IGNORED("etcd_path")},
    {SERVICE("name", MADE_STRING, name), .change = CHANGES_SETTING,
     .shown = "name", .handed = "name"},
    {SERVICE("session_timeout_ms", MADE_INT, session_timeout_ms),
     .change = CHANGES_ZNODE, .shown = "session_timeout_ms"},
    {SERVICE("node", MADE_STRING, node), .change = CHANGES_ZNODE,
     .handed = "node"},
    {SERVICE("payload", MADE_STRING, payload), .handed = "payload"},
    {SERVICE("identity", MADE_STRING, identity), .handed = "identity"},
    {SERVICE("instance_id", MADE_STRING, instance_id), .handed = "instance_id"},
    {SERVICE("checking", MADE_STRING, checking), .handed = "checking"},
    {.key = NULL},
};

#define RATE(KEY, KIND, MEMBER)                                                \
    .key = KEY, .kind = FIELD_##KIND,                                          \
    .offset = offsetof(struct rate_config, MEMBER)

const struct field config_fields_rate[] = {
    {RATE("shadow_mode", BOOLEAN, shadow_mode)},
    {RATE("average_rate", NUMBER, average_rate), .min = 0},
    {RATE("max_burst", NUMBER, max_burst), .min = 1},
    {.key = NULL},
};

#define CHECK(KEY, KIND, MEMBER)                                               \
    .key = KEY, .kind = FIELD_##KIND,                                          \
    .offset = offsetof(struct check_config, MEMBER)

#define OVER_TLS  (OF_HTTP | OF_GRPC)
#define ADDRESSED (OF_TCP | OF_REDIS | OVER_TLS)
#define TIMED     (ADDRESSED | OF_EXEC)

const struct field config_fields_check[] = {
    {OWN("type")},
    {CHECK("name", STRING, name)},
    {CHECK("host", STRING, host), .types = ADDRESSED, .shown = "host"},
    {CHECK("port", PORT, port), .types = ADDRESSED, .shown = "port"},
    {CHECK("rise", COUNT, rise), .shown = "rise", .min = 1, .max = STREAK_MAX},
    {CHECK("fall", COUNT, fall), .shown = "fall", .min = 1, .max = STREAK_MAX},
    {CHECK("timeout", SECONDS, timeout_ms), .types = TIMED,
     .shown = "timeout_ms"},
    {CHECK("read_timeout", SECONDS, timeout_ms), .types = OF_HTTP}, /* wins */
    {CHECK("open_timeout", SECONDS, connect_ms), .types = OF_HTTP},
    {OWN("ssl_timeout"), .types = OF_HTTP},
    {CHECK("send", TEXT, send), .types = OF_TCP, .shown = "sends",
     .only_whether = true},
    {CHECK("expect", TEXT, expect), .types = OF_TCP, .shown = "expects",
     .only_whether = true},
    {CHECK("expect", STRING, expect), .types = OF_HTTP},
    {CHECK("uri", STRING, uri), .types = OF_HTTP,
     .required = "a path such as \"/health\""},
    {CHECK("method", STRING, method), .types = OF_HTTP},
    {OWN("expect_status"), .types = OF_HTTP},
    {OWN("headers"), .types = OF_HTTP},
    {CHECK("ssl", BOOLEAN, tls), .types = OVER_TLS, .shown = "ssl"},
    {CHECK("verify", BOOLEAN, verify), .types = OVER_TLS, .shown = "verify"},
    {CHECK("ca_file", STRING, ca_file), .types = OVER_TLS},
    {CHECK("sni", STRING, sni), .types = OVER_TLS},
    {CHECK("service", STRING, service), .types = OF_GRPC, .shown = "service"},
    {CHECK("ttl", SECONDS, ttl_ms), .types = OF_PUSH, .shown = "ttl_ms"},
    {OWN("command"), .types = OF_EXEC},
    {IGNORED("module")},
    {IGNORED("host"), .types = OF_NOOP},
    {IGNORED("port"), .types = OF_NOOP},
    {IGNORED("timeout"), .types = OF_NOOP},
    {.key = NULL},
};

bool field_is_key(const struct field *field) {
    return field->kind < FIELD_MADE_STRING;
}

bool field_is_of(const struct field *field, unsigned int types) {
    return field->types == 0 || (field->types & types) != 0;
}

bool field_is_string(const struct field *field) {
    return field->kind == FIELD_STRING || field->kind == FIELD_TEXT ||
           field->kind == FIELD_OWN_STRING || field->kind == FIELD_MADE_STRING;
}

void *field_of(const struct field *field, const void *base) {
    return (void *)((uintptr_t)base + field->offset);
}
