/* test_reporter_memory.c - nerve/register/reporter.c when memory runs out, with
 * a ZooKeeper that keeps what it is asked to
 *
 * Each allocation is refused in turn. What is wanted comes later then, and is
 * there once.
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "nerve/config/model.h"
#include "nerve/register/plan.h"
#include "nerve/register/reporter.h"
#include "tests/fake/fake_log.c"
#include "tests/fake/fake_malloc.c"
#include "tests/fake/fake_session.c"
#include "tests/fake/played_zookeeper.c"

static char instance_id[] = "i", encoded_node[] = "base64_0__";
static struct service_config service = {.name = name,
                                        .zk_path = path,
                                        .payload = payload,
                                        .identity = identity,
                                        .instance_id = instance_id};

/* The znodes in ZooKeeper. */
static struct {
    bool has_parent;
    bool loses; /* the answer to the next create */
    struct {
        char name[320], data[300];
    } znodes[8];
    size_t count;
    int made, deleted;
} zookeeper;

#define OTHER "i_0000000099" /* is another session's */

static size_t place_of(const char *at) {
    size_t i = 0;

    while (i < zookeeper.count &&
           strcmp(zookeeper.znodes[i].name, strrchr(at, '/') + 1) != 0)
        i++;
    assert_true(i < zookeeper.count);
    return i;
}

static void make(const char *at, const char *data) {
    struct event ev = {.code = SESSION_OK};
    size_t i = zookeeper.count++;
    char whole[400];

    assert_true(i < 8);
    snprintf(zookeeper.znodes[i].name, sizeof(zookeeper.znodes[i].name),
             "%s%010d", strrchr(at, '/') + 1, ++zookeeper.made);
    snprintf(zookeeper.znodes[i].data, sizeof(zookeeper.znodes[i].data), "%s",
             data);
    if (zookeeper.loses) {
        zookeeper.loses = false;
        answer(SESSION_LOST, at);
        tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
        return;
    }
    snprintf(whole, sizeof(whole), "/a/b/%s", zookeeper.znodes[i].name);
    ev.data = whole;
    ev.length = strlen(whole);
    answer_with(ev);
}

static void list(void) {
    static char other[] = OTHER;
    char *children[9];
    size_t count = 0;

    for (size_t i = 0; i < zookeeper.count; i++)
        children[count++] = zookeeper.znodes[i].name;
    children[count++] = other;
    answer_with((struct event){.children = children, .count = count});
}

static void show(const char *at) {
    bool other = strstr(at, OTHER) != NULL;
    char *data = other ? payload : zookeeper.znodes[place_of(at)].data;

    answer_with(
        (struct event){.data = data,
                       .length = strlen(data),
                       .stat = {.ephemeral_owner = FAKE_CLIENT_ID + other}});
}

static void drop(const char *at) {
    size_t i = place_of(at);

    zookeeper.znodes[i] = zookeeper.znodes[--zookeeper.count];
    zookeeper.deleted++;
    answer(SESSION_OK, at);
}

/* Answers the last request. */
static void serve(void) {
    char verb[20], at[300], data[300] = "";

    fake_forget();
    assert_true(sscanf(fake_request, "%19s %299s %299s", verb, at, data) >= 2);
    if (strcmp(verb, "create") == 0) {
        zookeeper.has_parent = zookeeper.has_parent || strcmp(at, "/a/b") == 0;
        answer(SESSION_OK, at);
    } else if (strcmp(verb, "create-es") == 0 && !zookeeper.has_parent) {
        answer(SESSION_NO_NODE, at);
    } else if (strcmp(verb, "create-es") == 0) {
        make(at, data);
    } else if (strcmp(verb, "children") == 0) {
        list();
    } else if (strcmp(verb, "get") == 0) {
        show(at);
    } else if (strcmp(verb, "set") == 0) {
        strcpy(zookeeper.znodes[place_of(at)].data, data);
        answer(SESSION_OK, at);
    } else if (strcmp(verb, "delete") == 0) {
        drop(at);
    } else {
        answer(SESSION_OK, at);
    }
}

/* Lets time pass until ZooKeeper has what is wanted. */
static void settle(void) {
    for (int i = 0; i < 100; i++) {
        if (!fake_sent_nothing()) {
            serve();
            continue;
        }
        now += 31000;
        reporter_tick(reporter, now);
        if (fake_sent_nothing() && reporter_is_settled(reporter))
            return;
    }
    fail_msg("not settled: %s", fake_request);
}

static void assert_one_with(const char *data) {
    assert_int_equal(zookeeper.count, 1);
    assert_string_equal(zookeeper.znodes[0].data, data);
    assert_non_null(strstr(reporter_path(reporter), zookeeper.znodes[0].name));
}

/* Registers a service, changes its weight, and takes it out, with the <n>th
 * allocation refused. Returns whether it was not reached. */
static bool live(size_t n, bool loses) {
    struct reporter_order order = {.weight = 3};
    bool over;

    memset(&zookeeper, 0, sizeof(zookeeper));
    zookeeper.loses = loses;
    fake_forget();
    fake_log_clear();
    fake_malloc_left = n;
    reporter = reporter_new(&service, NULL);
    if (reporter) {
        reporter_attach(reporter, (struct session *)&now);
        tell(SESSION_CONNECTED, LINK_NEW_SESSION);
        reporter_want(reporter, true, now);
        settle();
        assert_one_with(PAYLOAD);
        assert_int_equal(zookeeper.deleted, 0);
        reporter_obey(reporter, &order, now);
        settle();
        assert_one_with(
            "{\"host\":\"h\",\"port\":80,\"name\":\"i\",\"weight\":3}");
        order.out = true;
        reporter_obey(reporter, &order, now);
        settle();
        assert_int_equal(zookeeper.count, 0);
        assert_true(reporter_is_gone(reporter));
    }
    over = fake_malloc_left > 0;
    fake_malloc_left = 0;
    reporter_free(reporter);
    return over;
}

static void live_always(bool loses) {
    long before = fake_malloc_live;
    size_t n;

    for (n = 1; !live(n, loses) && fake_malloc_works; n++)
        assert_int_equal(fake_malloc_live, before);
    assert_int_equal(fake_malloc_live, before);
    if (fake_malloc_works)
        assert_in_range(n, 10, 100);
}

static void what_is_wanted_comes_later_and_once(void **state) {
    (void)state;
    service.node = node;
    service.encoded = false;
    live_always(false);
}

static void also_where_an_answer_is_lost(void **state) {
    (void)state;
    service.node = node;
    service.encoded = false;
    live_always(true);
}

static void also_where_the_name_has_the_data(void **state) {
    (void)state;
    service.node = encoded_node;
    service.encoded = true;
    live_always(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wanted_comes_later_and_once),
        cmocka_unit_test(also_where_an_answer_is_lost),
        cmocka_unit_test(also_where_the_name_has_the_data),
    };

    json_set_alloc_funcs(fake_malloc_spare, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
