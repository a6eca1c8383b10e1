/* status.c - what nerve knows of its services, for people and programs
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uv.h>

#include "nerve/checks/curl_loop.h"
#include "nerve/config/model.h"
#include "nerve/config/show.h"
#include "nerve/operator/status.h"
#include "nerve/register/reporter.h"
#include "nerve/services/health.h"
#include "nerve/services/hold.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"

/* Returns the word for where <s> stands. */
static const char *state_of(const struct service *s) {
    return s->watcher ? health_name(watcher_state(s->watcher)) : "leaving";
}

/* Returns what <s> has said of itself, or NULL: it has no push check. */
static json_t *report_json(const struct service *s) {
    const struct check_config *check = config_push_check(s->config);
    const struct push_report *report;

    if (!check || !s->watcher)
        return NULL;
    report = watcher_heard(s->watcher);
    if (report->word == PUSH_NOTHING)
        return json_pack("{s:n, s:i}", "passed", "ttl_ms", (int)check->ttl_ms);
    return json_pack("{s:b, s:i, s:I, s:s*}", "passed",
                     report->word == PUSH_PASS, "ttl_ms", (int)check->ttl_ms,
                     "silent_ms", (json_int_t)watcher_silence(s->watcher),
                     "reason", report->reason[0] ? report->reason : NULL);
}

static json_t *service_json(const struct service *s,
                            const struct holds *holds) {
    const struct service_config *config = s->config;
    const struct hold *hold = holds_find(holds, config->name);

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:b, s:s*, s:s?, s:o*, s:o*, s:o*}", "name",
        config->name, "host", config->host, "port", config->port, "state",
        state_of(s), "connected", reporter_is_connected(s->reporter), "settled",
        reporter_is_settled(s->reporter), "trouble", service_trouble(s),
        "registered", reporter_path(s->reporter), "published",
        json_loads(reporter_payload(s->reporter), 0, NULL), "hold",
        hold ? hold_json(hold) : NULL, "report", report_json(s));
}

static bool is_configured(const struct services *services, const char *name) {
    const struct service *s;

    for (size_t i = 0; (s = services_at(services, i)); i++)
        if (s->watcher && strcmp(s->config->name, name) == 0)
            return true;
    return false;
}

/* Returns the holds of services that are not there, or NULL. */
static json_t *idle_holds(const struct services *services,
                          const struct holds *holds) {
    json_t *list = json_array();

    for (size_t i = 0; list && i < holds->count; i++)
        if (!is_configured(services, holds->list[i].service))
            json_array_append_new(list, hold_json(&holds->list[i]));
    if (json_array_size(list) > 0)
        return list;
    json_decref(list);
    return NULL;
}

json_t *status_json(const struct services *services,
                    const struct holds *holds) {
    json_t *list = json_array();
    const struct service *s;

    for (size_t i = 0; (s = services_at(services, i)); i++)
        json_array_append_new(list, service_json(s, holds));
    return json_pack("{s:s, s:i, s:o, s:o*}", "version", VERSION, "pid",
                     (int)getpid(), "services", list, "other_holds",
                     idle_holds(services, holds));
}

/* What the process has used, and the libraries that it runs on. */
static json_t *process_json(void) {
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return json_pack(
        "{s:I, s:I, s:I, s:s, s:s, s:s}", "cpu_user_ms",
        (json_int_t)used.ru_utime.tv_sec * 1000 + used.ru_utime.tv_usec / 1000,
        "cpu_system_ms",
        (json_int_t)used.ru_stime.tv_sec * 1000 + used.ru_stime.tv_usec / 1000,
        "max_rss_kib", (json_int_t)used.ru_maxrss, "libuv", uv_version_string(),
        "curl", curl_loop_version(), "jansson", jansson_version_str());
}

json_t *status_dump(const struct services *services,
                    const struct holds *holds) {
    json_t *configured = json_array();
    const struct service *s;

    for (size_t i = 0; (s = services_at(services, i)); i++)
        json_array_append_new(configured, config_redacted(s->config));
    return json_pack("{s:o, s:o, s:o}", "process", process_json(), "status",
                     status_json(services, holds), "configuration", configured);
}
