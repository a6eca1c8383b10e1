/* test_ensemble.c - tests of nerve/register/ensemble.c, with name servers,
 * sessions and the clock given
 *
 * The query for the names is a thread's, as it always is: a test lets the loop
 * turn until its answer is there.
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "csrc/base/error.h"
#include "csrc/zookeeper/hosts.h"
#include "csrc/zookeeper/session.h"
#include "nerve/measure/statsd.h"
#include "nerve/register/ensemble.h"
#include "nerve/register/reporter.h"
#include "tests/fake/fake_log.c"

/* What was asked, each with a newline. */
static char story[2000];

static void tell(const char *what, const char *whose) {
    size_t used = strlen(story);

    snprintf(story + used, sizeof(story) - used, "%s %s\n", what, whose);
}

static void assert_story(const char *wanted) {
    assert_string_equal(story, wanted);
    story[0] = '\0';
}

/* What the names are, or "": nobody knows. The thread of the query reads it,
 * which a test has waited for before it changes. */
static char numeric[100];

static bool partly; /* known */

char *hosts_resolve(const char *hosts, struct error *err) {
    if (partly)
        error_set(err, "zk2: Name or service not known");
    if (numeric[0])
        return strdup(numeric);
    error_set(err, "%s: Name or service not known", hosts);
    return NULL;
}

bool hosts_have(const char *hosts, const char *server, size_t length) {
    return strlen(hosts) == length && strncmp(hosts, server, length) == 0;
}

static int thread_error; /* why no thread is started, or 0 */

typedef int thread_fn(uv_thread_t *thread, uv_thread_cb entry, void *arg);

int uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg) {
    thread_fn *real = (thread_fn *)dlsym(RTLD_NEXT, "uv_thread_create");

    return thread_error ? thread_error : real(thread, entry, arg);
}

/* The last time that statsd was told, as "NAME MS CLUSTER\n". */
static char timed[200];

void statsd_time(struct statsd *s, const char *what, uint64_t ms, ...) {
    va_list tags;

    (void)s;
    va_start(tags, ms);
    assert_string_equal(va_arg(tags, const char *), "zk_cluster");
    snprintf(timed, sizeof(timed), "%s %d %s\n", what, (int)ms,
             va_arg(tags, const char *));
    va_end(tags);
}

void statsd_cluster(const char *hosts, char *out, size_t size) {
    snprintf(out, size, "of %s", hosts);
}

static uint64_t now_ms;

uint64_t uv_now(const uv_loop_t *l) {
    (void)l;
    return now_ms;
}

/* The ensemble's timer, which a test lets tick. */
static uv_timer_t *ticking;
static uv_timer_cb tick_fn;

int uv_timer_start(uv_timer_t *timer, uv_timer_cb fn, uint64_t timeout,
                   uint64_t repeat) {
    assert_int_equal(timeout, repeat);
    ticking = timer;
    tick_fn = fn;
    return 0;
}

struct session {
    enum session_state state;
    struct session_identity identity;
    bool open;
};

static struct session the_session;
static bool session_fails;

struct session *session_open(struct queue *queue, struct worker *worker,
                             const struct session_options *options,
                             struct error *err) {
    (void)queue;
    (void)worker;
    if (session_fails) {
        error_set(err, "out of memory");
        return NULL;
    }
    tell(options->resume ? "resume" : "open", options->hosts);
    assert_int_equal(options->timeout_ms, 4000);
    the_session = (struct session){.state = SESSION_CONNECTING, .open = true};
    if (options->resume)
        the_session.identity = *options->resume;
    return &the_session;
}

void session_close(struct session *s) {
    if (s)
        tell("close", "the session");
}

uint32_t session_number(const struct session *s) {
    (void)s;
    return 7;
}

static bool stale;

bool session_absorb(struct session *s, struct event *ev) {
    if (ev->type == EVENT_SESSION)
        s->state = ev->state;
    return !stale;
}

void session_tick(struct session *s) {
    assert_true(s->open);
    tell("tick", "the session");
}

int session_set_hosts(struct session *s, const char *hosts) {
    assert_true(s->open);
    tell("use", hosts);
    return 0;
}

enum session_state session_state(const struct session *s) { return s->state; }

int64_t session_client_id(const struct session *s) { return s->identity.id; }

struct session_identity session_identity(const struct session *s) {
    return s->identity;
}

const char *session_hosts(const struct session *s) {
    (void)s;
    return "10.0.0.1:2181";
}

const char *session_strerror(int code) {
    return code == SESSION_WANTS_AUTH ? "it wants credentials" : "an error";
}

static int64_t auth_result;

int64_t session_add_auth(struct session *s, const char *scheme,
                         const char *credentials, size_t length) {
    (void)s;
    assert_string_equal(scheme, "digest");
    assert_int_equal(length, strlen(credentials));
    tell("show", credentials);
    return auth_result;
}

struct reporter {
    const char *name;
    bool attached, gone;
};

void reporter_attach(struct reporter *r, struct session *session) {
    r->attached = session != NULL;
    tell(session ? "attach" : "detach", r->name);
}

void reporter_absorb(struct reporter *r, const struct event *ev, int64_t now) {
    assert_int_equal(now, now_ms);
    tell(ev->type == EVENT_SESSION ? "state for" : "event for", r->name);
}

void reporter_tick(struct reporter *r, int64_t now) {
    assert_int_equal(now, now_ms);
    tell("tick", r->name);
}

bool reporter_is_gone(const struct reporter *r) { return r->gone; }

static uv_loop_t loop;
static struct ensemble *ensemble;
static struct reporter web, api;

static struct ensemble_env env_with(const char *auth) {
    return (struct ensemble_env){
        .loop = &loop, .session_timeout_ms = 4000, .auth = auth};
}

static int begin(void **state) {
    (void)state;
    strcpy(numeric, "10.0.0.1:2181");
    story[0] = '\0';
    session_fails = stale = partly = false;
    thread_error = 0;
    timed[0] = '\0';
    auth_result = 0;
    now_ms = 1000;
    web = (struct reporter){.name = "web"};
    api = (struct reporter){.name = "api"};
    fake_log_clear();
    return uv_loop_init(&loop);
}

static int end(void **state) {
    (void)state;
    ensemble_close(ensemble);
    ensemble = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

/* Lets the loop turn until all names that are asked for are told. What the
 * ensemble is woken by is closed then; its timer never fires here. */
static void look_up(void) { uv_run(&loop, UV_RUN_DEFAULT); }

static void make(const char *auth) {
    struct ensemble_env env = env_with(auth);

    ensemble = ensemble_new(&env, "zk1:2181");
    assert_non_null(ensemble);
}

static void tick(uint64_t ms) {
    now_ms += ms;
    tick_fn(ticking);
}

/* Gives it an event of its session. */
static void absorb(struct event ev) {
    ev.session = 7;
    ensemble_absorb(ensemble, &ev);
}

static void enter(enum session_state state, enum session_link link) {
    absorb((struct event){.type = EVENT_SESSION,
                          .state = state,
                          .link = link,
                          .client_id = 0x12,
                          .timeout_ms = 4000});
}

static void opens_its_session_once_the_names_are_known(void **state) {
    (void)state;
    make(NULL);
    assert_int_equal(ensemble_add(ensemble, &web), 0);
    assert_story("");
    assert_false(ensemble_is_connected(ensemble));
    look_up();
    assert_story("open 10.0.0.1:2181\nattach web\n");
    assert_true(fake_log_is("debug zk1:2181: looked up: 10.0.0.1:2181\n"));
    enter(SESSION_CONNECTED, LINK_NEW_SESSION);
    assert_true(ensemble_is_connected(ensemble));
    assert_story("state for web\n");
    assert_true(fake_log_is(
        "info zk1:2181: connected, new session 0x12, timeout 4000 ms\n"));
    assert_string_equal(ensemble_hosts(ensemble), "zk1:2181");
}

static void a_reporter_that_comes_later_learns_how_it_is(void **state) {
    (void)state;
    make(NULL);
    look_up();
    story[0] = '\0';
    assert_int_equal(ensemble_add(ensemble, &api), 0);
    assert_story("attach api\nstate for api\n");
}

/* The log had the client library's "Connection refused", and nerve ctl status
 * and /health only that ZooKeeper is away. */
static void knows_why_a_server_does_not_let_it_in(void **state) {
    static char line[] = "10.0.0.1:2181: server refused (Connection refused)";
    static char other[] = "10.0.0.9:2181: timed out", no_server[] = "timed out";
    struct event of_library = {.type = EVENT_LOG, .data = line};

    (void)state;
    make(NULL);
    look_up();
    enter(SESSION_CONNECTED, LINK_NEW_SESSION);
    ensemble_absorb(ensemble, &of_library);
    assert_null(ensemble_trouble(ensemble));
    enter(SESSION_CONNECTING, LINK_NONE);
    look_up();
    assert_null(ensemble_trouble(ensemble));
    ensemble_absorb(ensemble, &of_library);
    of_library.data = other;
    ensemble_absorb(ensemble, &of_library);
    of_library.data = no_server;
    ensemble_absorb(ensemble, &of_library);
    of_library.data = NULL;
    ensemble_absorb(ensemble, &of_library);
    assert_string_equal(ensemble_trouble(ensemble), line);
    enter(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_null(ensemble_trouble(ensemble));
}

static void is_told_apart_by_servers_and_timeout(void **state) {
    (void)state;
    make(NULL);
    assert_true(ensemble_serves(ensemble, "zk1:2181", 4000));
    assert_false(ensemble_serves(ensemble, "zk2:2181", 4000));
    assert_false(ensemble_serves(ensemble, "zk1:2181", 5000));
    look_up();
}

/* After 1 s, 2 s, 4 s, and so on to 30 s; a connection begins that again. */
static void asks_for_unknown_names_again_ever_more_seldom(void **state) {
    static const unsigned int waits[] = {1, 2, 4, 8, 16, 30, 30};
    char line[200];

    (void)state;
    numeric[0] = '\0';
    make(NULL);
    look_up();
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        snprintf(line, sizeof(line),
                 "debug zk1:2181: looked up: zk1:2181: Name or service not "
                 "known\nwarning zk1:2181: zk1:2181: Name or service not "
                 "known; next try in %u s\n",
                 waits[i]);
        assert_true(fake_log_is(line));
        assert_string_equal(ensemble_trouble(ensemble),
                            "zk1:2181: Name or service not known");
        tick(waits[i] * 1000 - 1);
        look_up();
        assert_true(fake_log_is(""));
        tick(1);
        look_up();
    }
    fake_log_clear();
    strcpy(numeric, "10.0.0.2:2181");
    tick(30000);
    look_up();
    assert_story("open 10.0.0.2:2181\n");
}

static void a_session_that_cannot_be_opened_is_tried_again(void **state) {
    (void)state;
    session_fails = true;
    make(NULL);
    look_up();
    assert_true(fake_log_is("debug zk1:2181: looked up: 10.0.0.1:2181\n"
                            "warning zk1:2181: out of memory; next try in 1 "
                            "s\n"));
    session_fails = false;
    tick(1000);
    look_up();
    assert_story("open 10.0.0.1:2181\n");
}

static void names_without_a_thread_are_asked_for_again(void **state) {
    (void)state;
    thread_error = UV_EAGAIN;
    make(NULL);
    look_up();
    assert_true(fake_log_is(
        "warning zk1:2181: no thread for the names: resource temporarily "
        "unavailable; next try in 1 s\n"));
    thread_error = 0;
    tick(1000);
    look_up();
    assert_story("open 10.0.0.1:2181\n");
}

/* As long as no server answers, each new handle needs their addresses. */
static void asks_once_a_session_timeout_while_no_server_answers(void **state) {
    (void)state;
    make(NULL);
    look_up();
    now_ms += 4000;
    enter(SESSION_UNKNOWN, LINK_NONE);
    look_up();
    story[0] = '\0';
    strcpy(numeric, "10.0.0.9:2181");
    tick(3999);
    look_up();
    assert_story("tick the session\n");
    tick(1);
    look_up();
    assert_story("tick the session\nuse 10.0.0.9:2181\n");
}

/* Servers that have moved are found at their new addresses. */
static void looks_the_names_up_anew_when_no_server_answers(void **state) {
    (void)state;
    make(NULL);
    look_up();
    enter(SESSION_CONNECTED, LINK_NEW_SESSION);
    enter(SESSION_CONNECTING, LINK_NONE);
    fake_log_clear();
    story[0] = '\0';
    strcpy(numeric, "10.0.0.9:2181");
    now_ms += 4000;
    enter(SESSION_UNKNOWN, LINK_NONE);
    look_up();
    assert_story("use 10.0.0.9:2181\n");
    assert_true(
        fake_log_is("warning zk1:2181: no answer for a session timeout; checks "
                    "go on, registrations wait\n"
                    "debug zk1:2181: looked up: 10.0.0.9:2181\n"));
    /* That it still does not answer is no news. */
    now_ms += 4000;
    enter(SESSION_UNKNOWN, LINK_NONE);
    look_up();
    assert_true(fake_log_is("debug zk1:2181: looked up: 10.0.0.9:2181\n"));
}

/* The names were looked up again after a session timeout only, so that a
 * session expired that could have gone on with a server known since. */
static void looks_the_names_up_anew_on_each_loss_and_each_minute(void **state) {
    (void)state;
    make(NULL);
    look_up();
    enter(SESSION_CONNECTED, LINK_NEW_SESSION);
    strcpy(numeric, "10.0.0.8:2181");
    tick(59999);
    look_up();
    assert_story("open 10.0.0.1:2181\ntick the session\n");
    tick(1);
    look_up();
    assert_story("tick the session\nuse 10.0.0.8:2181\n");
    strcpy(numeric, "10.0.0.9:2181");
    tick(1000);
    story[0] = '\0';
    enter(SESSION_CONNECTING, LINK_NONE);
    look_up();
    assert_story("use 10.0.0.9:2181\n");
    /* A connection that flaps is no reason to ask more than once a second. */
    enter(SESSION_CONNECTED, LINK_SAME_HANDLE);
    enter(SESSION_CONNECTING, LINK_NONE);
    look_up();
    assert_story("");
    tick(1000);
    look_up();
    assert_story("tick the session\nuse 10.0.0.9:2181\n");
}

/* Of three names one was known at the start: the others never were. */
static void
uses_the_names_that_are_known_and_asks_for_the_others(void **state) {
    (void)state;
    partly = true;
    make(NULL);
    look_up();
    assert_story("open 10.0.0.1:2181\n");
    assert_true(fake_log_is(
        "debug zk1:2181: looked up: 10.0.0.1:2181\n"
        "warning zk1:2181: zk2: Name or service not known; the others are "
        "used; next try in 1 s\n"));
    enter(SESSION_CONNECTED, LINK_NEW_SESSION);
    fake_log_clear();
    tick(1000);
    look_up();
    assert_true(fake_log_is("debug zk1:2181: looked up: 10.0.0.1:2181\n"));
    partly = false;
    strcpy(numeric, "10.0.0.1:2181,10.0.0.2:2181");
    story[0] = '\0';
    tick(2000);
    look_up();
    assert_story("tick the session\nuse 10.0.0.1:2181,10.0.0.2:2181\n");
}

static void names_that_are_unknown_once_more_are_told_again(void **state) {
    static const char line[] =
        "warning zk1:2181: zk2: Name or service not known; the others are "
        "used; next try in 1 s\n";

    (void)state;
    make(NULL);
    look_up();
    for (int i = 0; i < 2; i++) {
        partly = true;
        tick(60000);
        look_up();
        assert_non_null(strstr(fake_log_text, line));
        partly = false;
        tick(1000);
        look_up();
        fake_log_clear();
    }
}

static void tells_its_reporters_what_concerns_their_session(void **state) {
    struct event other = {.type = EVENT_REPLY, .session = 8};
    struct event every = {.type = EVENT_JOB};
    struct event line = {.type = EVENT_LOG};

    (void)state;
    make(NULL);
    ensemble_add(ensemble, &web);
    ensemble_add(ensemble, &api);
    /* There is no session yet that it could be of. */
    absorb((struct event){.type = EVENT_REPLY});
    look_up();
    story[0] = '\0';
    absorb((struct event){.type = EVENT_REPLY});
    assert_story("event for web\nevent for api\n");
    ensemble_absorb(ensemble, &every);
    assert_story("event for web\nevent for api\n");
    ensemble_absorb(ensemble, &other);
    ensemble_absorb(ensemble, &line);
    stale = true;
    absorb((struct event){.type = EVENT_REPLY});
    assert_story("");
    stale = false;
    ensemble_remove(ensemble, &web);
    absorb((struct event){.type = EVENT_REPLY});
    assert_story("event for api\n");
    tick(200);
    assert_story("tick the session\ntick api\n");
    assert_true(ensemble_is_used(ensemble));
    ensemble_remove(ensemble, &api);
    assert_false(ensemble_is_used(ensemble));
}

/* airbnb's dashboards know these. */
static void counts_writes_and_tells_how_long_they_took(void **state) {
    static const struct {
        enum event_op op;
        const char *timed;
    } cases[] = {
        {OP_CREATE, "nerve.reporter.zk.create.elapsed_time 2 of zk1:2181\n"},
        {OP_SET, "nerve.reporter.zk.save.elapsed_time 2 of zk1:2181\n"},
        {OP_DELETE, "nerve.reporter.zk.delete.elapsed_time 2 of zk1:2181\n"},
        {OP_GET, ""},
    };

    (void)state;
    make(NULL);
    look_up();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        timed[0] = '\0';
        absorb((struct event){.type = EVENT_REPLY,
                              .op = cases[i].op,
                              .code = SESSION_NO_AUTH,
                              .asked_us = 1000,
                              .time_us = 3999});
        assert_string_equal(timed, cases[i].timed);
    }
    for (size_t op = 0; op < WRITE_OPS; op++)
        assert_int_equal(ensemble_counts(ensemble)->writes.failures[op], 1);
}

/* What a server refuses, or this machine, is no connection that was lost. */
static void tells_what_keeps_it_from_any_session(void **state) {
    (void)state;
    make(NULL);
    look_up();
    fake_log_clear();
    enter(SESSION_AUTH_FAILED, LINK_NONE);
    assert_true(
        fake_log_is("error zk1:2181: the servers refuse the credentials\n"));
    assert_string_equal(ensemble_trouble(ensemble),
                        "the servers refuse the credentials");
    enter(SESSION_NO_THREADS, LINK_NONE);
    assert_true(fake_log_is("error zk1:2181: no threads can be started "
                            "(RLIMIT_NPROC?); trying again\n"));
    assert_string_equal(ensemble_trouble(ensemble),
                        "no threads can be started (RLIMIT_NPROC?)");
}

static void counts_sessions_and_expiries(void **state) {
    (void)state;
    make(NULL);
    look_up();
    enter(SESSION_CONNECTED, LINK_NEW_SESSION);
    enter(SESSION_CONNECTING, LINK_NONE);
    enter(SESSION_CONNECTED, LINK_SAME_HANDLE);
    enter(SESSION_EXPIRED, LINK_NONE);
    enter(SESSION_CONNECTED, LINK_NEW_SESSION);
    assert_int_equal(ensemble_counts(ensemble)->sessions, 2);
    assert_int_equal(ensemble_counts(ensemble)->expired, 1);
    assert_true(fake_log_is(
        "debug zk1:2181: looked up: 10.0.0.1:2181\n"
        "info zk1:2181: connected, new session 0x12, timeout 4000 ms\n"
        "warning zk1:2181: connection lost; registrations stay as they are\n"
        "info zk1:2181: connected again 0x12, timeout 4000 ms\n"
        "warning zk1:2181: session expired; registrations will be created "
        "again\n"
        "info zk1:2181: connected, new session 0x12, timeout 4000 ms\n"));
}

/* It was "connection lost" and "connected again" each time, and `nerve ctl
 * status` said no more than that ZooKeeper is away. */
static void tells_once_why_a_server_ends_each_connection(void **state) {
    static char line[] = "10.0.0.1:2181: timed out";
    struct event of_library = {.type = EVENT_LOG, .data = line};

    (void)state;
    make(NULL);
    look_up();
    assert_null(ensemble_trouble(ensemble));
    fake_log_clear();
    for (int i = 0; i < 3; i++) {
        enter(SESSION_CONNECTED, LINK_NEW_HANDLE);
        absorb((struct event){.type = EVENT_SESSION,
                              .state = SESSION_CONNECTING,
                              .code = SESSION_WANTS_AUTH});
    }
    assert_true(fake_log_is(
        "info zk1:2181: session resumed 0x12, timeout 4000 ms\n"
        "error zk1:2181: connection ended by the server: it wants "
        "credentials; registrations stay as they are, tried again later and "
        "later\n"));
    assert_string_equal(ensemble_trouble(ensemble), "it wants credentials");
    ensemble_absorb(ensemble, &of_library);
    assert_string_equal(ensemble_trouble(ensemble), "it wants credentials");
    enter(SESSION_CONNECTED, LINK_NEW_HANDLE);
    absorb((struct event){.type = EVENT_REPLY, .code = SESSION_WANTS_AUTH});
    assert_true(fake_log_is(""));
    absorb((struct event){.type = EVENT_REPLY});
    assert_true(
        fake_log_is("info zk1:2181: the server takes requests again\n"));
    assert_null(ensemble_trouble(ensemble));
}

static void says_when_the_servers_allow_another_timeout(void **state) {
    (void)state;
    make(NULL);
    look_up();
    fake_log_clear();
    absorb((struct event){.type = EVENT_SESSION,
                          .state = SESSION_CONNECTED,
                          .link = LINK_NEW_SESSION,
                          .client_id = 1,
                          .timeout_ms = 6000});
    assert_true(fake_log_is(
        "info zk1:2181: connected, new session 0x1, timeout 6000 ms\n"
        "warning zk1:2181: session timeout 4000 ms asked for, the servers "
        "allow 6000 ms\n"));
}

static void shows_credentials_to_every_session(void **state) {
    (void)state;
    make("u:p");
    look_up();
    assert_story("open 10.0.0.1:2181\nshow u:p\n");
    ensemble_use_auth(ensemble, "u:q");
    assert_story("show u:q\n");
    assert_true(fake_log_is("debug zk1:2181: looked up: 10.0.0.1:2181\n"));
    auth_result = SESSION_NO_MEMORY;
    ensemble_use_auth(ensemble, "u:r");
    assert_true(fake_log_is(
        "error zk1:2181: no credentials are shown: out of memory\n"));
}

static void goes_on_with_the_session_of_another_process(void **state) {
    struct ensemble_env env = env_with("u:p");
    struct saved_session saved = {.ensemble = "zk1:2181",
                                  .session_timeout_ms = 4000,
                                  .hosts = "10.0.0.3:2181",
                                  .identity = {.id = 5}};

    (void)state;
    ensemble = ensemble_resume(&env, &saved);
    assert_story("resume 10.0.0.3:2181\nshow u:p\n");
    memset(&saved, 0, sizeof(saved));
    assert_true(ensemble_save(ensemble, &saved));
    assert_string_equal(saved.ensemble, "zk1:2181");
    assert_string_equal(saved.hosts, "10.0.0.1:2181");
    assert_int_equal(saved.session_timeout_ms, 4000);
    assert_int_equal(saved.identity.id, 5);
    the_session.identity.id = 0;
    assert_false(ensemble_save(ensemble, &saved));
    /* The names may have other addresses by now. */
    look_up();
    assert_story("use 10.0.0.1:2181\n");
}

static void looks_the_names_up_if_it_cannot_go_on_at_once(void **state) {
    struct ensemble_env env = env_with(NULL);
    struct saved_session saved = {.ensemble = "zk1:2181",
                                  .session_timeout_ms = 4000,
                                  .hosts = "10.0.0.3:2181",
                                  .identity = {.id = 5}};

    (void)state;
    session_fails = true;
    ensemble = ensemble_resume(&env, &saved);
    look_up();
    assert_true(
        fake_log_is("warning zk1:2181: out of memory; next try in 1 s\n"));
    session_fails = false;
    tick(1000);
    look_up();
    assert_story("open 10.0.0.1:2181\n");
}

static void is_gone_with_the_last_registration(void **state) {
    (void)state;
    make(NULL);
    assert_true(ensemble_is_gone(ensemble));
    ensemble_add(ensemble, &web);
    ensemble_add(ensemble, &api);
    web.gone = true;
    assert_false(ensemble_is_gone(ensemble));
    api.gone = true;
    assert_true(ensemble_is_gone(ensemble));
    look_up();
}

static void ends_its_session_and_its_query(void **state) {
    struct saved_session saved;

    (void)state;
    make(NULL);
    ensemble_add(ensemble, &web);
    assert_false(ensemble_save(ensemble, &saved));
    ensemble_close(ensemble);
    assert_story("detach web\n");
    ensemble = NULL;
    /* Its answer comes to nobody. */
    look_up();
    assert_story("");
    assert_true(fake_log_is(""));
    make(NULL);
    look_up();
    story[0] = '\0';
    ensemble_close(ensemble);
    ensemble = NULL;
    assert_story("close the session\n");
    ensemble_close(NULL);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(opens_its_session_once_the_names_are_known),
        TEST(a_reporter_that_comes_later_learns_how_it_is),
        TEST(knows_why_a_server_does_not_let_it_in),
        TEST(is_told_apart_by_servers_and_timeout),
        TEST(asks_for_unknown_names_again_ever_more_seldom),
        TEST(a_session_that_cannot_be_opened_is_tried_again),
        TEST(names_without_a_thread_are_asked_for_again),
        TEST(asks_once_a_session_timeout_while_no_server_answers),
        TEST(looks_the_names_up_anew_when_no_server_answers),
        TEST(looks_the_names_up_anew_on_each_loss_and_each_minute),
        TEST(uses_the_names_that_are_known_and_asks_for_the_others),
        TEST(names_that_are_unknown_once_more_are_told_again),
        TEST(tells_its_reporters_what_concerns_their_session),
        TEST(counts_writes_and_tells_how_long_they_took),
        TEST(tells_what_keeps_it_from_any_session),
        TEST(counts_sessions_and_expiries),
        TEST(tells_once_why_a_server_ends_each_connection),
        TEST(says_when_the_servers_allow_another_timeout),
        TEST(shows_credentials_to_every_session),
        TEST(goes_on_with_the_session_of_another_process),
        TEST(looks_the_names_up_if_it_cannot_go_on_at_once),
        TEST(is_gone_with_the_last_registration),
        TEST(ends_its_session_and_its_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
