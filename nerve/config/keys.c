/* keys.c - the keys that a configuration may have, and their fates
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

#include "nerve/config/keys.h"

const struct key config_keys_top[] = {
    {"instance_id", KEY_USED},
    {"services", KEY_USED},
    {"session_timeout", KEY_USED},
    {"heartbeat_path", KEY_USED},
    {"watchdog", KEY_USED},
    {"control_socket", KEY_USED},
    {"holds_path", KEY_USED},
    {"auth", KEY_USED},
    {"acl", KEY_USED},
    {"max_repeated_report_failures", KEY_IGNORED},
    {"statsd", KEY_USED},
    {"metrics_listen", KEY_USED},
    {"listen_port", KEY_IGNORED},
    {"prometheus", KEY_IGNORED},
    {"service_conf_dir", KEY_USED},
    {NULL, KEY_USED},
};

const struct key config_keys_statsd[] = {
    {"host", KEY_USED},
    {"port", KEY_USED},
    {NULL, KEY_USED},
};

const struct key config_keys_service[] = {
    {"host", KEY_USED},
    {"port", KEY_USED},
    {"reporter_type", KEY_USED},
    {"zk_hosts", KEY_USED},
    {"zk_path", KEY_USED},
    {"use_path_encoding", KEY_USED},
    {"node_type", KEY_USED},
    {"check_interval", KEY_USED},
    {"checks", KEY_USED},
    {"check_mocked", KEY_USED},
    {"weight", KEY_USED},
    {"haproxy_server_options", KEY_USED},
    {"labels", KEY_USED},
    {"rate_limiting", KEY_USED},
    {"load_test_concurrency", KEY_IGNORED},
    {"max_repeated_report_failures", KEY_IGNORED},
    {"ttl_seconds", KEY_USED},
    {"etcd_host", KEY_IGNORED},
    {"etcd_port", KEY_IGNORED},
    {"etcd_path", KEY_IGNORED},
    {NULL, KEY_USED},
};

const struct key config_keys_auth[] = {
    {"user", KEY_USED},
    {"password_file", KEY_USED},
    {NULL, KEY_USED},
};

const struct key config_keys_rate[] = {
    {"shadow_mode", KEY_USED},
    {"average_rate", KEY_USED},
    {"max_burst", KEY_USED},
    {NULL, KEY_USED},
};

const struct key config_keys_tcp[] = {
    {"type", KEY_USED},      {"name", KEY_USED}, {"host", KEY_USED},
    {"port", KEY_USED},      {"rise", KEY_USED}, {"fall", KEY_USED},
    {"timeout", KEY_USED},   {"send", KEY_USED}, {"expect", KEY_USED},
    {"module", KEY_IGNORED}, {NULL, KEY_USED},
};

const struct key config_keys_http[] = {
    {"type", KEY_USED},         {"name", KEY_USED},
    {"host", KEY_USED},         {"port", KEY_USED},
    {"rise", KEY_USED},         {"fall", KEY_USED},
    {"timeout", KEY_USED},      {"open_timeout", KEY_USED},
    {"read_timeout", KEY_USED}, {"method", KEY_USED},
    {"uri", KEY_USED},          {"headers", KEY_USED},
    {"expect", KEY_USED},       {"expect_status", KEY_USED},
    {"ssl", KEY_USED},          {"ssl_timeout", KEY_USED},
    {"verify", KEY_USED},       {"ca_file", KEY_USED},
    {"sni", KEY_USED},          {"module", KEY_IGNORED},
    {NULL, KEY_USED},
};

const struct key config_keys_redis[] = {
    {"type", KEY_USED},    {"name", KEY_USED},      {"host", KEY_USED},
    {"port", KEY_USED},    {"rise", KEY_USED},      {"fall", KEY_USED},
    {"timeout", KEY_USED}, {"module", KEY_IGNORED}, {NULL, KEY_USED},
};

const struct key config_keys_exec[] = {
    {"type", KEY_USED},      {"name", KEY_USED},    {"rise", KEY_USED},
    {"fall", KEY_USED},      {"command", KEY_USED}, {"timeout", KEY_USED},
    {"module", KEY_IGNORED}, {NULL, KEY_USED},
};

const struct key config_keys_noop[] = {
    {"type", KEY_USED},       {"name", KEY_USED},      {"rise", KEY_USED},
    {"fall", KEY_USED},       {"host", KEY_IGNORED},   {"port", KEY_IGNORED},
    {"timeout", KEY_IGNORED}, {"module", KEY_IGNORED}, {NULL, KEY_USED},
};
