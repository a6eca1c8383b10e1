/* test_statsd.c - tests of nerve/measure/statsd.c, with the name server's part
 * played SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nerve/checks/dns.h"
#include "nerve/measure/statsd.h"

static uv_loop_t *const loop = NULL; /* is not looked at */
static uint64_t now = 5000;
static unsigned int asked; /* how often for the host's addresses */
static lookup_done_fn *answer;
static void *answer_to;

uint64_t uv_now(const uv_loop_t *ignored) {
    (void)ignored;
    return now;
}

struct lookup *lookup_new(uv_loop_t *ignored, const char *host, int port,
                          lookup_done_fn *done, void *arg) {
    (void)ignored;
    (void)host;
    (void)port;
    answer = done;
    answer_to = arg;
    return (struct lookup *)&asked;
}

void lookup_start(struct lookup *l) {
    (void)l;
    asked++;
}

void lookup_free(struct lookup *l) { (void)l; }

/* Each line asked for the addresses once more, as fast as a name server said
 * that there are none: a name that was misspelt kept it busy. */
static void test_an_unknown_host_is_asked_for_once_a_second(void **state) {
    struct statsd *s = statsd_new(loop);

    (void)state;
    assert_int_equal(statsd_use(s, "unknown", 8125), 0);
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 1);
    answer(answer_to, NULL, "unknown");
    now += 999;
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 1);
    assert_int_equal(statsd_lost(s), 2);
    now += 1;
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 2);
    answer(answer_to, NULL, "unknown");
    assert_int_equal(statsd_use(s, "other", 8125), 0);
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 3);
    statsd_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unknown_host_is_asked_for_once_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
