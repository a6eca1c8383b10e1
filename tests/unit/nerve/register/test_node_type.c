/* test_node_type.c - tests of nerve/register/reporter.c with the other types of
 * znodes, with ZooKeeper's part played
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/config/model.h"
#include "nerve/register/reporter.h"
#include "tests/fake/fake_log.c"
#include "tests/fake/fake_session.c"
#include "tests/fake/played_zookeeper.c"

#define OLD   "{\"host\":\"h\",\"port\":80,\"name\":\"i\"}"
#define OTHER "{\"host\":\"g\",\"port\":80,\"name\":\"i\"}"
#define ZNODE "/a/b/i_"

static struct service_config service = {.name = name,
                                        .zk_path = path,
                                        .payload = payload,
                                        .identity = identity,
                                        .node = node};
/* Makes a reporter of a service of <type> that is up, and connects it. */
static void open_reporter(enum node_type type) {
    service.node_type = type;
    service.ttl_ms = 0;
    reporter = reporter_new(&service, NULL);
    reporter_attach(reporter, (struct session *)&now);
    fake_refusal = 0;
    fake_forget();
    fake_log_clear();
    tell(SESSION_CONNECTED, LINK_NEW_SESSION);
    assert_true(fake_sent_nothing());
    reporter_want(reporter, true, now);
}

static void answer_data(int64_t owner, const char *data) {
    answer_with(
        (struct event){.data = (char *)data,
                       .length = strlen(data),
                       .stat = {.ephemeral_owner = owner, .version = -1}});
}

static void an_ephemeral_znode_has_the_bare_name(void **state) {
    (void)state;
    open_reporter(NODE_EPHEMERAL);
    assert_true(fake_sent("create-e " ZNODE " " PAYLOAD));
    answer_with((struct event){.data = (char *)ZNODE, .length = 7});
    assert_true(fake_sent("exists " ZNODE " watch"));
    answer(SESSION_OK, ZNODE);
    reporter_want(reporter, false, now);
    assert_true(fake_sent("delete " ZNODE));
}

/* Nerve was killed and has started again: its old session is not over yet. */
static void the_znode_of_an_earlier_session_is_waited_for(void **state) {
    (void)state;
    open_reporter(NODE_EPHEMERAL);
    answer(SESSION_NODE_EXISTS, ZNODE);
    assert_string_equal(fake_request, "get " ZNODE " watch");
    answer_data(FAKE_CLIENT_ID + 1, OLD);
    assert_true(fake_log_is(
        "warning web: " ZNODE " is held by session 0x1235, an earlier one or "
        "another nerve with the same instance_id; waiting until it goes\n"));
    assert_true(reporter_is_blocked(reporter));
    fake_forget();
    reporter_tick(reporter, now + 999);
    assert_true(fake_sent_nothing());
    fire(CHANGE_DELETED, ZNODE);
    assert_true(fake_sent("create-e " ZNODE " " PAYLOAD));
    answer_with((struct event){.data = (char *)ZNODE, .length = 7});
    assert_false(reporter_is_blocked(reporter));
}

/* Its place was free, and the answer to the create was lost. */
static void one_that_was_in_the_way_is_forgotten_with_our_own(void **state) {
    char mine[] = "i_";
    char *children[] = {mine};

    (void)state;
    open_reporter(NODE_EPHEMERAL);
    answer(SESSION_NODE_EXISTS, ZNODE);
    answer_data(FAKE_CLIENT_ID + 1, OLD);
    assert_true(reporter_is_blocked(reporter));
    fire(CHANGE_DELETED, ZNODE);
    answer(SESSION_LOST, ZNODE);
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    answer(SESSION_OK, path);
    answer_with((struct event){.children = children, .count = 1});
    answer_data(FAKE_CLIENT_ID, PAYLOAD);
    assert_true(reporter_is_registered(reporter));
    assert_false(reporter_is_blocked(reporter));
    assert_null(reporter_trouble(reporter));
}

static void a_znode_in_the_way_is_looked_at_later_and_later(void **state) {
    (void)state;
    open_reporter(NODE_EPHEMERAL);
    for (int64_t wait = 1000; wait < 8000; wait *= 2) {
        answer(SESSION_NODE_EXISTS, ZNODE);
        answer_data(FAKE_CLIENT_ID + 1, OTHER);
        fake_forget();
        reporter_tick(reporter, now + wait - 1);
        assert_true(fake_sent_nothing());
        reporter_tick(reporter, now + wait);
        assert_true(fake_sent("create-e " ZNODE " " PAYLOAD));
        now += wait;
    }
    assert_true(fake_log_is("warning web: " ZNODE
                            " is another instance's, held by "
                            "session 0x1235; waiting until it goes\n"));
}

static void a_znode_that_nobody_may_read_is_no_busy_loop(void **state) {
    (void)state;
    open_reporter(NODE_EPHEMERAL);
    answer(SESSION_NODE_EXISTS, ZNODE);
    fake_forget();
    answer(SESSION_NO_AUTH, ZNODE);
    assert_true(fake_sent_nothing());
    assert_string_equal(reporter_trouble(reporter), "not authenticated");
    now += 1000;
    reporter_tick(reporter, now);
    assert_true(fake_sent("get " ZNODE " watch"));
    answer(SESSION_NO_NODE, ZNODE);
    assert_true(fake_sent("create-e " ZNODE " " PAYLOAD));
}

static void a_persistent_leftover_of_ours_makes_way(void **state) {
    (void)state;
    open_reporter(NODE_EPHEMERAL);
    answer(SESSION_NODE_EXISTS, ZNODE);
    fake_forget();
    answer_data(0, OLD);
    assert_true(fake_sent_nothing());
    now += 1000;
    reporter_tick(reporter, now);
    answer(SESSION_NODE_EXISTS, ZNODE);
    fake_forget();
    answer_data(0, OLD);
    assert_true(fake_sent("delete " ZNODE));
    answer(SESSION_OK, ZNODE);
    assert_true(fake_sent("create-e " ZNODE " " PAYLOAD));
}

static void a_persistent_znode_of_another_is_never_deleted(void **state) {
    (void)state;
    open_reporter(NODE_EPHEMERAL);
    answer(SESSION_NODE_EXISTS, ZNODE);
    fake_forget();
    answer_data(0, OTHER);
    assert_true(fake_sent_nothing());
}

static void a_lost_create_of_a_bare_name_is_found_again(void **state) {
    char mine[] = "i_", other[] = "i_0000000001";
    char *children[] = {other, mine};

    (void)state;
    open_reporter(NODE_EPHEMERAL);
    answer(SESSION_LOST, ZNODE);
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    answer(SESSION_OK, path);
    fake_forget();
    answer_with((struct event){.children = children, .count = 2});
    assert_true(fake_sent("get " ZNODE " watch"));
    answer_data(FAKE_CLIENT_ID, PAYLOAD);
    assert_true(fake_sent("exists " ZNODE " watch"));
}

/* What an earlier run left behind is found before anything is made. */
static void a_persistent_znode_is_adopted_and_set(void **state) {
    char mine[] = "i_";
    char *children[] = {mine};

    (void)state;
    open_reporter(NODE_PERSISTENT);
    assert_true(fake_sent("sync /a/b"));
    answer(SESSION_OK, path);
    assert_true(fake_sent("children /a/b"));
    answer_with((struct event){.children = children, .count = 1});
    assert_true(fake_sent("get " ZNODE " watch"));
    answer_data(0, OTHER);
    assert_true(fake_sent("set " ZNODE " " PAYLOAD));
}

static void a_persistent_znode_is_made_where_there_is_none(void **state) {
    (void)state;
    open_reporter(NODE_PERSISTENT);
    answer(SESSION_OK, path);
    fake_forget();
    answer(SESSION_NO_NODE, path);
    assert_true(fake_sent("create " ZNODE " " PAYLOAD));
}

static void persistent_sequential_znodes_of_ours_become_one(void **state) {
    char first[] = "i_0000000001", second[] = "i_0000000002";
    char *children[] = {first, second};

    (void)state;
    open_reporter(NODE_PERSISTENT_SEQUENTIAL);
    answer(SESSION_OK, path);
    answer_with((struct event){.children = children, .count = 2});
    answer_data(0, PAYLOAD);
    fake_forget();
    answer_data(0, PAYLOAD);
    assert_true(fake_sent("delete /a/b/i_0000000002"));
}

static void a_persistent_znode_outlives_its_session(void **state) {
    (void)state;
    open_reporter(NODE_PERSISTENT);
    answer(SESSION_OK, path);
    answer(SESSION_NO_NODE, path);
    answer_with((struct event){.data = (char *)ZNODE, .length = 7});
    answer(SESSION_OK, ZNODE);
    tell(SESSION_EXPIRED, LINK_NONE);
    fake_forget();
    tell(SESSION_CONNECTED, LINK_NEW_SESSION);
    assert_true(fake_sent("sync /a/b"));
}

static void a_persistent_znode_is_written_every_ttl(void **state) {
    int64_t due = now;

    (void)state;
    open_reporter(NODE_PERSISTENT);
    service.ttl_ms = 360000;
    reporter_update(reporter, &service, true);
    answer(SESSION_OK, path);
    answer(SESSION_NO_NODE, path);
    answer_with((struct event){.data = (char *)ZNODE, .length = 7});
    answer(SESSION_OK, ZNODE);
    fake_forget();
    for (int writes = 0; writes < 3;) {
        due += 1000;
        assert_true(due <= now + 3 * 361000);
        reporter_tick(reporter, due);
        if (fake_sent_nothing())
            continue;
        assert_true(fake_sent("set " ZNODE " " PAYLOAD));
        answer(SESSION_OK, ZNODE);
        writes++;
    }
}

static void an_ephemeral_znode_has_no_ttl(void **state) {
    (void)state;
    open_reporter(NODE_EPHEMERAL);
    service.ttl_ms = 1000;
    reporter_update(reporter, &service, true);
    answer_with((struct event){.data = (char *)ZNODE, .length = 7});
    answer(SESSION_OK, ZNODE);
    fake_forget();
    reporter_tick(reporter, now + 1);
    reporter_tick(reporter, now + 1999);
    assert_true(fake_sent_nothing());
}

#define TEST(NAME) cmocka_unit_test_teardown(NAME, close_reporter)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_ephemeral_znode_has_the_bare_name),
        TEST(the_znode_of_an_earlier_session_is_waited_for),
        TEST(one_that_was_in_the_way_is_forgotten_with_our_own),
        TEST(a_znode_in_the_way_is_looked_at_later_and_later),
        TEST(a_znode_that_nobody_may_read_is_no_busy_loop),
        TEST(a_persistent_leftover_of_ours_makes_way),
        TEST(a_persistent_znode_of_another_is_never_deleted),
        TEST(a_lost_create_of_a_bare_name_is_found_again),
        TEST(a_persistent_znode_is_adopted_and_set),
        TEST(a_persistent_znode_is_made_where_there_is_none),
        TEST(persistent_sequential_znodes_of_ours_become_one),
        TEST(a_persistent_znode_outlives_its_session),
        TEST(a_persistent_znode_is_written_every_ttl),
        TEST(an_ephemeral_znode_has_no_ttl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
