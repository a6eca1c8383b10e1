/* test_change_memory.c - the running services when memory runs out
 *
 * Each allocation is refused in turn.
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "csrc/base/error.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"
#include "nerve/config/service.h"
#include "nerve/register/ensemble.h"
#include "nerve/services/health.h"
#include "nerve/services/hold.h"
#include "nerve/services/schedule.h"
#include "nerve/services/services.h"
#include "tests/fake/fake_check.c"
#include "tests/fake/fake_log.c"
#include "tests/fake/fake_malloc.c"
#include "tests/fake/fake_register.c"
#include "tests/fake/fake_statsd.c"

static uv_loop_t loop;
static struct services *services;
static struct lateness late = {.quiet_until_ms = UINT64_MAX};
static struct holds holds;
static const struct services_env env = {.check = {.loop = &loop, .late = &late},
                                        .holds = &holds};

/* Closes what is to be closed. The checks are due much later. */
static void turn(void) { uv_run(&loop, UV_RUN_NOWAIT); }

static int begin(void **state) {
    (void)state;
    story[0] = fake_counted[0] = fake_ran[0] = '\0';
    fake_log_clear();
    json_set_alloc_funcs(fake_malloc_spare, free);
    if (uv_loop_init(&loop) != 0)
        return -1;
    services = services_new(&env);
    turn();
    return services ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    services_close(services);
    uv_run(&loop, UV_RUN_DEFAULT);
    services_free(services);
    return uv_loop_close(&loop);
}

#define SERVICE(NAME, HOSTS, MORE)                                             \
    "\"" NAME                                                                  \
    "\": {\"host\": \"127.0.0.1\", \"port\": 80, \"zk_path\": \"/" NAME        \
    "\", \"zk_hosts\": [\"" HOSTS "\"], \"check_interval\": 3600, "            \
    "\"checks\": [{\"type\": \"noop\"}" MORE "]}"

/* Returns the configuration with the services <members>. */
static struct config *config_of(const char *members) {
    struct error err = {0};
    struct config *config;
    char text[2000];

    snprintf(text, sizeof(text), "{\"instance_id\": \"i\", \"services\": {%s}}",
             members);
    config = config_parse(text, strlen(text), NULL, NULL, &err);
    assert_string_equal(err.text, "");
    return config;
}

/* Applies <members>, and has the <n>th allocation refused (0: none). Returns
 * whether it was not reached. */
static bool apply(const char *members, size_t n, int *status) {
    struct config *config = config_of(members);
    bool over;

    story[0] = fake_counted[0] = '\0';
    fake_log_clear();
    fake_malloc_left = n;
    *status = services_apply(services, config, true);
    over = fake_malloc_left > 0;
    fake_malloc_left = 0;
    config_free(config);
    turn();
    return over;
}

static void a_change_without_memory_changes_nothing(void **state) {
    static const char more[] =
        SERVICE("web", "zk1:2181", ", {\"type\": \"noop\"}") ", " SERVICE(
            "api", "zk2:2181", "") ", " SERVICE("site", "zk1:2181", "");
    struct service *web;
    struct watcher *watcher;
    int status, refused = 0;
    long before;

    (void)state;
    apply(SERVICE("web", "zk1:2181", ""), 0, &status);
    assert_int_equal(status, 0);
    web = services->services[0];
    watcher = web->watcher;
    before = fake_malloc_live;
    for (size_t n = 1; !apply(more, n, &status); n++) {
        if (status == 0)
            break;
        refused++;
        assert_int_equal(services->count, 1);
        assert_ptr_equal(services->services[0], web);
        assert_ptr_equal(web->watcher, watcher);
        assert_int_equal(web->config->check_count, 1);
        assert_int_equal(services->ensemble_count, 1);
        assert_true(fake_log_is(""));
        assert_int_equal(fake_malloc_live, before);
    }
    assert_int_equal(status, 0);
    assert_int_equal(services->count, 3);
    assert_int_equal(services->ensemble_count, 2);
    if (fake_malloc_works)
        assert_in_range(refused, 20, 100);
}

/* Returns a service as the process before hands it over. */
static struct saved_service saved_web(void) {
    struct config *config = config_of(SERVICE("web", "zk1:2181", ""));
    struct service_config *bare = calloc(1, sizeof(*bare));
    struct saved_service saved = {.config = bare,
                                  .standing = {.state = HEALTH_UP, .count = 1}};

    service_config_swap_registration(bare, &config->services[0]);
    bare->checking = strdup(config->services[0].checking);
    config_free(config);
    saved.standing.health = calloc(1, sizeof(struct health));
    return saved;
}

/* Continues a service, and has the <n>th allocation refused. Returns whether it
 * was not reached. */
static bool restore(size_t n, struct ensemble *e) {
    struct saved_service saved = saved_web();
    struct service *s;
    bool over;

    fake_malloc_left = n;
    s = service_restore(&saved, e, NULL, NULL);
    over = fake_malloc_left > 0;
    fake_malloc_left = 0;
    assert_int_equal(ensemble_is_used(e), s != NULL);
    assert_true(!s == !over || !fake_malloc_works);
    service_free(s);
    service_config_free(saved.config);
    free(saved.standing.health);
    return over;
}

static void an_upgrade_without_memory_leaves_nothing_behind(void **state) {
    struct ensemble_env ensemble_env = services_ensemble_env(services, 4000);
    struct ensemble *e = ensemble_new(&ensemble_env, "zk1:2181");
    long before = fake_malloc_live;

    (void)state;
    for (size_t n = 1; !restore(n, e) && fake_malloc_works; n++)
        assert_int_equal(fake_malloc_live, before);
    assert_int_equal(fake_malloc_live, before);
    ensemble_close(e);
}

/* Continues the checks of a service, and has the <n>th allocation refused.
 * Returns whether it was not reached. */
static bool check_on(size_t n, struct ensemble *e) {
    struct saved_service saved = saved_web();
    struct service *s = service_restore(&saved, e, NULL, NULL);
    struct error err = {0};
    int status;
    bool over;

    fake_malloc_left = n;
    status = service_check_on(s, &services->env.check, NULL, &err);
    over = fake_malloc_left > 0;
    fake_malloc_left = 0;
    assert_int_equal(status, s->watcher ? 0 : -1);
    assert_int_equal(err.text[0] != '\0', !s->watcher);
    assert_false(service_is_leaving(s));
    service_free(s);
    turn();
    return over;
}

static void checks_that_cannot_go_on_without_memory_are_told(void **state) {
    struct ensemble_env ensemble_env = services_ensemble_env(services, 4000);
    struct ensemble *e = ensemble_new(&ensemble_env, "zk1:2181");
    long before = fake_malloc_live;

    (void)state;
    for (size_t n = 1; !check_on(n, e) && fake_malloc_works; n++)
        assert_int_equal(fake_malloc_live, before);
    assert_int_equal(fake_malloc_live, before);
    ensemble_close(e);
}

int main(void) {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_change_without_memory_changes_nothing),
        TEST(an_upgrade_without_memory_leaves_nothing_behind),
        TEST(checks_that_cannot_go_on_without_memory_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
