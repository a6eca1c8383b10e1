/* test_statsd.c - tests of nerve/measure/statsd.c, with the name server's part
 * played SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/measure/statsd.h"

static uv_loop_t *const loop = NULL; /* is not looked at */
static uint64_t now = 5000;
static unsigned int asked; /* how often for the host's addresses */
static void (*answer)(void *arg, const struct addrinfo *addresses, int status);
static void *answer_to;

uint64_t uv_now(const uv_loop_t *ignored) {
    (void)ignored;
    return now;
}

static struct lookup *
look_up(uv_loop_t *ignored, const char *host, int port,
        void (*done)(void *arg, const struct addrinfo *addresses, int status),
        void *arg) {
    (void)ignored;
    (void)host;
    (void)port;
    answer = done;
    answer_to = arg;
    return (struct lookup *)&asked;
}

static void start(struct lookup *l) {
    (void)l;
    asked++;
}

static void release(struct lookup *l) { (void)l; }

static const struct statsd_names names = {look_up, start, release};

/* Each line asked for the addresses once more, as fast as a name server said
 * that there are none: a name that was misspelt kept it busy. */
static void test_an_unknown_host_is_asked_for_once_a_second(void **state) {
    struct statsd *s = statsd_new(loop, &names);

    (void)state;
    assert_int_equal(statsd_use(s, "unknown", 8125), 0);
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 1);
    answer(answer_to, NULL, UV_EAI_NONAME);
    now += 999;
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 1);
    assert_int_equal(statsd_lost(s), 2);
    now += 1;
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 2);
    answer(answer_to, NULL, UV_EAI_NONAME);
    assert_int_equal(statsd_use(s, "other", 8125), 0);
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 3);
    statsd_close(s);
}

static char line[STATSD_LINE_MAX];

static size_t format(const char *name, const char *type, uint64_t value, ...) {
    va_list tags;
    size_t length;

    va_start(tags, value);
    length = statsd_line(line, name, type, value, tags);
    va_end(tags);
    line[length] = '\0';
    return length;
}

static void a_counter_has_its_tags_or_none(void **state) {
    (void)state;
    assert_int_equal(format("nerve.start", "c", 1UL, NULL), 15);
    assert_string_equal(line, "nerve.start:1|c");
    format("a.b", "ms", 120UL, "x", "y", "z", "w", NULL);
    assert_string_equal(line, "a.b:120|ms|#x:y,z:w");
}

static void what_would_end_a_tag_is_replaced(void **state) {
    (void)state;
    format("a", "c", 1UL, "x", "a,b|c#d\ne:f\xc3\xa4", NULL);
    assert_string_equal(line, "a:1|c|#x:a_b_c_d_e:f\xc3\xa4");
}

static void a_long_value_is_cut(void **state) {
    char value[2000];

    (void)state;
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(format("a", "c", 1UL, "x", value, "y", "z", NULL),
                     strlen("a:1|c|#x:") + 128 + strlen(",y:z"));
}

static void what_does_not_fit_is_not_sent_in_part(void **state) {
    char value[200];

    (void)state;
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(format("a", "c", 1UL, "a", value, "b", value, "c", value,
                            "d", value, "e", value, "f", value, "g", value, "h",
                            value, "i", value, NULL),
                     0);
}

static void an_ensemble_has_the_name_that_airbnbs_nerve_gives_it(void **state) {
    static const struct {
        const char *hosts, *name;
    } cases[] = {
        {"zk0.example.com:2181,zk1.example.com:2181", "zk"},
        {"zk-main-12.example.com:2181", "zk-main-"},
        {"localhost:2181", "localhost:"},
        {"10.0.0.1:2181,10.0.0.2:2181", "10.0.0.1:2181"},
    };
    char name[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        statsd_cluster(cases[i].hosts, name, sizeof(name));
        assert_string_equal(name, cases[i].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unknown_host_is_asked_for_once_a_second),
        cmocka_unit_test(a_counter_has_its_tags_or_none),
        cmocka_unit_test(what_would_end_a_tag_is_replaced),
        cmocka_unit_test(a_long_value_is_cut),
        cmocka_unit_test(what_does_not_fit_is_not_sent_in_part),
        cmocka_unit_test(an_ensemble_has_the_name_that_airbnbs_nerve_gives_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
