/* handover.c - what nerve knows, as bytes for the process that takes its place
 *
 * The same few descriptions write and read it: jansson's formats, and the table
 * of a configuration's fields. If you change one of them, change FORMAT too.
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/config/fields.h"
#include "nerve/config/model.h"
#include "nerve/config/service.h"
#include "nerve/process/handover.h"
#include "nerve/register/ensemble.h"
#include "nerve/services/hold.h"
#include "nerve/services/services.h"

#define FORMAT 5

#define WHOLE    "{s:i, s:o, s:o}"
#define HOLDS    "{s:s}"
#define SESSION  "{s:s, s:i, s:s, s:I, s:[I, I]}"
#define SERVICE  "{s:o, s:i, s:i, s:b, s:b, s:b, s:b, s:b, s:o, s:o}"
#define ZNODE    "{s:s, s:b, s:b}"
#define STANDING "{s:i, s:b, s:f, s:I, s:o, s:[i, I, s]}"
#define HEALTH   "[i, i]"

/* A password as two numbers. */
struct halves {
    int64_t of[2];
};

_Static_assert(sizeof(struct halves) ==
                   sizeof(((struct session_identity *)NULL)->password),
               "a password has two halves");

json_t *handover_begin(void) {
    return json_pack(WHOLE, "format", FORMAT, "sessions", json_array(),
                     "services", json_array());
}

int handover_add_holds(json_t *all, const struct holds *holds) {
    char *text = holds_encode(holds);
    int status =
        text ? json_object_set_new(all, "holds", json_string(text)) : -1;

    free(text);
    return status;
}

int handover_add_session(json_t *all, const struct saved_session *session) {
    const struct session_identity *identity = &session->identity;
    struct halves password;

    memcpy(&password, identity->password, sizeof(password));
    return json_array_append_new(
        json_object_get(all, "sessions"),
        json_pack(SESSION, "ensemble", session->ensemble, "session_timeout_ms",
                  session->session_timeout_ms, "hosts", session->hosts, "id",
                  (json_int_t)identity->id, "password",
                  (json_int_t)password.of[0], (json_int_t)password.of[1]));
}

/* Appends <item>, which it takes, to <list>, which may be NULL. Returns <list>;
 * without memory it frees both and returns NULL. */
static json_t *append(json_t *list, json_t *item) {
    if (list && json_array_append_new(list, item) == 0)
        return list;
    if (!list)
        json_decref(item);
    json_decref(list);
    return NULL;
}

/* Packs the strings of <config> that config/fields.c says are handed over. */
static json_t *pack_texts(const struct service_config *config) {
    json_t *packed = json_object();

    for (const struct field *f = config_fields_service; f->key; f++)
        if (f->handed &&
            json_object_set_new(
                packed, f->handed,
                json_string(*(char *const *)field_of(f, config))) != 0) {
            json_decref(packed);
            return NULL;
        }
    return packed;
}

static json_t *pack_znodes(const struct registration *known) {
    json_t *list = json_array();

    for (size_t i = 0; i < known->count; i++)
        list = append(list, json_pack(ZNODE, "path", known->znodes[i].path,
                                      "current", known->znodes[i].current,
                                      "misnamed", known->znodes[i].misnamed));
    return list;
}

/* Without a limit, the number of tokens may be infinite. */
static json_t *pack_standing(const struct standing *standing) {
    const struct rate_limit *limit = &standing->limit;
    const struct push_report *report = &standing->report;
    json_t *list = json_array();

    for (size_t i = 0; i < standing->count; i++)
        list = append(list, json_pack(HEALTH, (int)standing->health[i].state,
                                      (int)standing->health[i].streak));
    return json_pack(STANDING, "state", (int)standing->state, "throttled",
                     standing->throttled, "tokens",
                     isfinite(limit->tokens) ? limit->tokens : 0.0, "filled_ms",
                     (json_int_t)limit->filled_ms, "checks", list, "report",
                     (int)report->word, (json_int_t)standing->silence_ms,
                     report->reason);
}

int handover_add_service(json_t *all, const struct saved_service *service) {
    const struct service_config *config = service->config;
    const struct registration *known = &service->known;

    return json_array_append_new(
        json_object_get(all, "services"),
        json_pack(SERVICE, "texts", pack_texts(config), "session_timeout_ms",
                  config->session_timeout_ms, "node_type",
                  (int)config->node_type, "encoded", config->encoded, "wanted",
                  known->wanted, "unsettled", known->unsettled, "told",
                  service->told, "leaving", service->leaving, "znodes",
                  pack_znodes(known), "standing",
                  pack_standing(&service->standing)));
}

char *handover_text(const json_t *all) { return json_dumps(all, JSON_COMPACT); }

void handover_end(json_t *all) { json_decref(all); }

/* Reads a session. Returns 0, or -1 if it is damaged. */
static int read_session(struct saved_session *session, json_t *json) {
    struct halves password = {{0, 0}};
    json_int_t id = 0, halves[2] = {0, 0};

    if (json_unpack(json, SESSION, "ensemble", &session->ensemble,
                    "session_timeout_ms", &session->session_timeout_ms, "hosts",
                    &session->hosts, "id", &id, "password", &halves[0],
                    &halves[1]) != 0)
        return -1;
    password.of[0] = halves[0];
    password.of[1] = halves[1];
    session->identity.id = id;
    memcpy(session->identity.password, &password, sizeof(password));
    return id != 0 && session->session_timeout_ms > 0 ? 0 : -1;
}

static int read_texts(struct service_config *config, const json_t *json) {
    for (const struct field *f = config_fields_service; f->key; f++) {
        char **out = field_of(f, config);
        const char *text;

        if (!f->handed)
            continue;
        text = json_string_value(json_object_get(json, f->handed));
        *out = text ? strdup(text) : NULL;
        if (!*out)
            return -1;
    }
    return 0;
}

static int read_znodes(struct registration *known, json_t *list) {
    const char *path;
    int current, misnamed;

    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_unpack(json_array_get(list, i), ZNODE, "path", &path,
                        "current", &current, "misnamed", &misnamed) != 0 ||
            registration_add(known, strdup(path), current) != 0)
            return -1;
    }
    for (size_t i = 0; i < known->count; i++)
        known->znodes[i].misnamed =
            json_is_true(json_object_get(json_array_get(list, i), "misnamed"));
    return 0;
}

static bool is_state(int number) {
    return number >= HEALTH_UNKNOWN && number <= HEALTH_DOWN;
}

static int read_checks(struct standing *standing, const json_t *list) {
    int state, streak;

    standing->health =
        calloc(json_array_size(list) + 1, sizeof(*standing->health));
    if (!standing->health)
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_unpack(json_array_get(list, i), HEALTH, &state, &streak) !=
                0 ||
            !is_state(state) || streak < 0)
            return -1;
        standing->health[i].state = (enum health_state)state;
        standing->health[i].streak = (unsigned int)streak;
    }
    standing->count = json_array_size(list);
    return 0;
}

static int read_standing(struct standing *standing, json_t *json) {
    json_int_t filled_ms, silence_ms;
    const char *reason;
    json_t *checks;
    int state, throttled, word;

    if (json_unpack(json, STANDING, "state", &state, "throttled", &throttled,
                    "tokens", &standing->limit.tokens, "filled_ms", &filled_ms,
                    "checks", &checks, "report", &word, &silence_ms,
                    &reason) != 0 ||
        !is_state(state) || word < PUSH_NOTHING || word > PUSH_FAIL ||
        silence_ms < 0 || strlen(reason) > PUSH_REASON_MAX)
        return -1;
    push_say(&standing->report, (enum push_word)word, reason, 0);
    standing->silence_ms = (uint64_t)silence_ms;
    standing->state = (enum health_state)state;
    standing->throttled = throttled;
    standing->limit.filled_ms = filled_ms;
    return read_checks(standing, checks);
}

/* Reads a service. Returns 0, or -1 if it is damaged. */
static int read_service(struct saved_service *service, json_t *json) {
    struct registration *known = &service->known;
    int node_type, encoded, wanted, unsettled, told, leaving;
    json_t *strings, *znodes, *standing;

    service->config = calloc(1, sizeof(*service->config));
    if (!service->config ||
        json_unpack(json, SERVICE, "texts", &strings, "session_timeout_ms",
                    &service->config->session_timeout_ms, "node_type",
                    &node_type, "encoded", &encoded, "wanted", &wanted,
                    "unsettled", &unsettled, "told", &told, "leaving", &leaving,
                    "znodes", &znodes, "standing", &standing) != 0 ||
        node_type < NODE_EPHEMERAL_SEQUENTIAL ||
        node_type > NODE_PERSISTENT_SEQUENTIAL)
        return -1;
    service->config->node_type = (enum node_type)node_type;
    service->config->encoded = encoded;
    known->wanted = wanted;
    known->unsettled = unsettled;
    service->told = told;
    service->leaving = leaving;
    if (read_texts(service->config, strings) != 0 ||
        read_znodes(known, znodes) != 0)
        return -1;
    return read_standing(&service->standing, standing);
}

/* Reads all lists. Returns 0, or -1 if one is damaged. */
static int read_lists(struct handover *h, const json_t *sessions,
                      const json_t *services) {
    h->sessions = calloc(json_array_size(sessions) + 1, sizeof(*h->sessions));
    h->services = calloc(json_array_size(services) + 1, sizeof(*h->services));
    if (!h->sessions || !h->services)
        return -1;
    while (h->session_count < json_array_size(sessions)) {
        size_t i = h->session_count++;

        if (read_session(&h->sessions[i], json_array_get(sessions, i)) != 0)
            return -1;
    }
    while (h->service_count < json_array_size(services)) {
        size_t i = h->service_count++;

        if (read_service(&h->services[i], json_array_get(services, i)) != 0)
            return -1;
    }
    return 0;
}

struct handover *handover_read(const char *bytes, size_t length,
                               struct error *err) {
    struct handover *h = calloc(1, sizeof(*h));
    json_t *sessions, *services;
    json_error_t where;
    int format = 0;

    if (!h) {
        error_set(err, "out of memory");
        return NULL;
    }
    h->json = json_loadb(bytes, length, 0, &where);
    if (json_unpack(h->json, "{s:i}", "format", &format) == 0 &&
        format != FORMAT)
        error_set(err, "what was handed over is of format %d, not %d", format,
                  FORMAT);
    else if (json_unpack(h->json, WHOLE, "format", &format, "sessions",
                         &sessions, "services", &services) == 0 &&
             json_unpack(h->json, HOLDS, "holds", &h->holds) == 0 &&
             read_lists(h, sessions, services) == 0)
        return h;
    error_set(err, "what was handed over is damaged");
    handover_free(h);
    return NULL;
}

void handover_free(struct handover *h) {
    if (!h)
        return;
    for (size_t i = 0; i < h->service_count; i++) {
        service_config_free(h->services[i].config);
        registration_close(&h->services[i].known);
        free(h->services[i].standing.health);
    }
    free(h->services);
    free(h->sessions);
    json_decref(h->json);
    free(h);
}
