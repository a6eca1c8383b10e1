/* test_reporter.c - tests of nerve/register/reporter.c, with ZooKeeper's part
 * played
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
#include "nerve/register/plan.h"
#include "nerve/register/reporter.h"
#include "tests/fake/fake_log.c"
#include "tests/fake/fake_session.c"
#include "tests/fake/played_zookeeper.c"

#define CREATE "create-es /a/b/i_ " PAYLOAD
#define ZNODE  "/a/b/i_0000000007"

static const struct service_config service = {.name = name,
                                              .zk_path = path,
                                              .payload = payload,
                                              .identity = identity,
                                              .node = node};
static int open_reporter(void **state) {
    (void)state;
    reporter = reporter_new(&service, NULL);
    reporter_attach(reporter, (struct session *)&now);
    fake_refusal = 0;
    fake_chroot = "";
    fake_forget();
    fake_log_clear();
    return reporter ? 0 : -1;
}

static void connect_new(void) { tell(SESSION_CONNECTED, LINK_NEW_SESSION); }

static void answer_created(const char *at) {
    answer_with((struct event){.data = (char *)at, .length = strlen(at)});
}

static void answer_data(int64_t owner, const char *data) {
    answer_with((struct event){.data = (char *)data,
                               .length = strlen(data),
                               .stat = {.ephemeral_owner = owner}});
}

/* Registers the service, with its watch set. */
static void register_it_as(const char *create) {
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(create));
    answer_created(ZNODE);
    assert_true(fake_sent("exists " ZNODE " watch"));
    answer(SESSION_OK, ZNODE);
    fake_log_clear();
}

static void register_it(void) { register_it_as(CREATE); }

static void take_out(unsigned int drain_ms) {
    struct reporter_order order = {.out = true, .drain_ms = drain_ms};

    reporter_obey(reporter, &order, now);
}

static void weigh(int64_t weight) {
    struct reporter_order order = {.weight = weight};

    reporter_obey(reporter, &order, now);
}

static void nothing_is_sent_before_the_session_is_connected(void **state) {
    (void)state;
    fake_forget();
    reporter_want(reporter, true, now);
    reporter_tick(reporter, now);
    assert_true(fake_sent_nothing());
    connect_new();
    assert_true(fake_sent(CREATE));
}

static void a_service_is_registered_once_and_watched(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    answer_created(ZNODE);
    assert_true(fake_log_is("info web: registered as " ZNODE "\n"));
    assert_true(fake_sent("exists " ZNODE " watch"));
    answer(SESSION_OK, ZNODE);
    fake_forget();
    reporter_want(reporter, true, now);
    reporter_tick(reporter, now + 1999);
    assert_true(fake_sent_nothing());
    assert_false(reporter_is_gone(reporter));
}

/* A session's answers are shown to all of its reporters. */
static void an_answer_to_another_reporter_changes_nothing(void **state) {
    struct event other = {.type = EVENT_REPLY, .data = ZNODE};

    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    other.length = strlen(ZNODE);
    other.request = (uint64_t)fake_request_number + 1;
    reporter_absorb(reporter, &other, now);
    assert_false(reporter_is_registered(reporter));
    answer_created(ZNODE);
    assert_true(reporter_is_registered(reporter));
    assert_true(fake_sent("exists " ZNODE " watch"));
    /* The one that it had, once more. */
    answer(SESSION_OK, ZNODE);
    fake_forget();
    answer(SESSION_NO_NODE, ZNODE);
    assert_true(fake_sent_nothing());
    assert_true(reporter_is_registered(reporter));
}

static void a_service_that_is_down_is_not_registered(void **state) {
    (void)state;
    register_it();
    reporter_want(reporter, false, now);
    assert_true(fake_sent("delete " ZNODE));
    assert_false(reporter_is_gone(reporter));
    fire(CHANGE_DELETED, ZNODE);
    answer(SESSION_OK, ZNODE);
    assert_true(fake_log_is("info web: registration " ZNODE " removed\n"));
    assert_true(reporter_is_gone(reporter));
}

static void a_service_that_went_down_meanwhile_is_removed_again(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    reporter_want(reporter, false, now);
    answer_created(ZNODE);
    assert_true(fake_sent("delete " ZNODE));
}

static void parents_are_made_as_needed(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    answer(SESSION_NO_NODE, "/a/b/i_");
    assert_true(fake_sent("create /a/b"));
    answer(SESSION_NO_NODE, "/a/b");
    assert_true(fake_sent("create /a"));
    answer(SESSION_NODE_EXISTS, "/a");
    assert_true(fake_sent("create /a/b"));
    answer(SESSION_OK, "/a/b");
    assert_true(fake_sent(CREATE));
    assert_true(fake_log_is(""));
}

/* It was waited for for ever, and the log said "no node": the library cannot
 * make the chroot that it puts before every path. */
static void a_chroot_that_is_not_there_is_made(void **state) {
    (void)state;
    fake_chroot = "/top/own";
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    answer(SESSION_NO_NODE, "/a/b/i_");
    assert_true(fake_sent("create /top/own/a/b"));
    answer(SESSION_NO_NODE, "/top/own/a/b");
    assert_true(fake_sent("create /top/own/a"));
    answer(SESSION_NO_NODE, "/top/own/a");
    assert_true(fake_sent("create /top/own"));
    answer(SESSION_NO_NODE, "/top/own");
    assert_true(fake_sent("create /top"));
    answer(SESSION_NO_AUTH, "/top");
    assert_true(
        fake_log_is("warning web: registration below /a/b failed (/top: not "
                    "authenticated); next try in 1 s, then later and later\n"));
    assert_string_equal(reporter_trouble(reporter), "/top: not authenticated");
    now += 1000;
    reporter_tick(reporter, now);
    assert_true(fake_sent("create /top"));
    answer(SESSION_OK, "/top");
    assert_true(fake_sent("create /top/own"));
    answer(SESSION_OK, "/top/own");
    assert_true(fake_sent("create /top/own/a"));
    answer(SESSION_OK, "/top/own/a");
    assert_true(fake_sent("create /top/own/a/b"));
    answer(SESSION_OK, "/top/own/a/b");
    assert_true(fake_sent(CREATE));
}

/* A server numbers sequential znodes by a counter of the parent, which a
 * restored tree, or any writer there, can set back. It was asked again
 * at once, for ever, and without a line. */
static void a_number_given_twice_is_no_busy_loop(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    for (int64_t wait = 1000; wait < 8000; wait *= 2) {
        assert_true(fake_sent(CREATE));
        answer(SESSION_NODE_EXISTS, "/a/b/i_");
        assert_true(fake_sent_nothing());
        reporter_tick(reporter, now + wait - 1);
        assert_true(fake_sent_nothing());
        now += wait;
        reporter_tick(reporter, now);
        assert_true(fake_sent("sync /a/b"));
        answer(SESSION_OK, "/a/b");
        assert_true(fake_sent("children /a/b"));
        assert_string_equal(reporter_trouble(reporter), "some error");
        answer(SESSION_OK, "/a/b");
    }
    assert_true(fake_log_is(
        "warning web: registration below /a/b failed (some error); next try "
        "in 1 s, then later and later\n"));
    assert_true(fake_sent(CREATE));
    answer_created(ZNODE);
    answer(SESSION_OK, ZNODE);
    assert_null(reporter_trouble(reporter));
}

/* A candidate that a busy server would not show was taken for somebody else's,
 * and a second znode was made beside it. */
static void a_candidate_that_cannot_be_read_is_looked_at_again(void **state) {
    char mine[] = "i_0000000007";
    char *children[] = {mine};

    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    answer(SESSION_LOST, "/a/b/i_");
    now += 1000;
    reporter_tick(reporter, now);
    answer(SESSION_OK, "/a/b");
    fake_forget();
    answer_with((struct event){.children = children, .count = 1});
    assert_true(fake_sent("get " ZNODE));
    answer(SESSION_THROTTLED, ZNODE);
    assert_true(fake_sent_nothing());
    now += 2000;
    reporter_tick(reporter, now);
    assert_true(fake_sent("get " ZNODE));
    answer_data(FAKE_CLIENT_ID, PAYLOAD);
    assert_string_equal(reporter_path(reporter), ZNODE);
}

/* What a server answers that is no loss was waited out without a word. */
static void each_code_of_a_server_is_told_and_waited_out(void **state) {
    static const int codes[] = {SESSION_NO_MEMORY,
                                -2,
                                -3,
                                -5,
                                -6,
                                -7,
                                -13,
                                -14,
                                SESSION_ANSWERS,
                                -102,
                                -108,
                                -114,
                                SESSION_AUTH_REFUSED,
                                -118,
                                -119,
                                -122,
                                SESSION_WANTS_AUTH,
                                -123,
                                -126,
                                SESSION_QUOTA_EXCEEDED,
                                SESSION_THROTTLED,
                                -128};

    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        close_reporter(state);
        open_reporter(state);
        connect_new();
        reporter_want(reporter, true, now);
        assert_true(fake_sent(CREATE));
        answer(codes[i], "/a/b/i_");
        assert_non_null(reporter_trouble(reporter));
        assert_false(fake_log_is(""));
        reporter_tick(reporter, now + 999);
        assert_true(fake_sent_nothing());
        reporter_tick(reporter, now + 1000);
        assert_false(fake_sent_nothing());
    }
}

static void a_refusal_is_told_once_and_tried_again_later(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    answer(SESSION_NO_AUTH, "/a/b/i_");
    assert_true(fake_log_is(
        "warning web: registration below /a/b failed (not authenticated); "
        "next try in 1 s, then later and later\n"));
    fake_forget();
    reporter_tick(reporter, now + 999);
    assert_true(fake_sent_nothing());
    reporter_tick(reporter, now + 1000);
    assert_true(fake_sent(CREATE));
    answer(SESSION_NO_AUTH, "/a/b/i_");
    assert_true(fake_log_is(""));
    reporter_tick(reporter, now + 10000);
    assert_true(fake_sent(CREATE));
    answer_created(ZNODE);
    assert_true(fake_log_is("info web: registered as " ZNODE "\n"));
}

static void a_lost_create_that_happened_is_found_again(void **state) {
    char mine[] = "i_0000000007", other[] = "i_0000000009", foreign[] = "j_1";
    char *children[] = {foreign, mine, other};

    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    answer(SESSION_LOST, "/a/b/i_");
    fake_forget();
    tell(SESSION_CONNECTING, LINK_NONE);
    assert_true(fake_sent_nothing());
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_true(fake_sent("sync /a/b"));
    answer(SESSION_OK, "/a/b");
    assert_true(fake_sent("children /a/b"));
    answer_with((struct event){.children = children, .count = 3});
    assert_true(fake_sent("get " ZNODE));
    answer_data(FAKE_CLIENT_ID, PAYLOAD);
    assert_true(fake_sent("get /a/b/i_0000000009"));
    answer_data(FAKE_CLIENT_ID + 1, PAYLOAD);
    assert_true(
        fake_log_is("info web: found the registration " ZNODE " again\n"));
    assert_true(fake_sent("exists " ZNODE " watch"));
}

static void a_lost_create_that_did_not_happen_is_made_again(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    answer(SESSION_LOST, "/a/b/i_");
    tell(SESSION_CONNECTED, LINK_NEW_HANDLE);
    answer(SESSION_OK, "/a/b");
    fake_forget();
    answer_with((struct event){.count = 0});
    assert_true(fake_sent(CREATE));
}

static void a_lost_create_below_no_path_is_made_again(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    answer(SESSION_LOST, "/a/b/i_");
    tell(SESSION_CONNECTED, LINK_NEW_HANDLE);
    answer(SESSION_OK, "/a/b");
    fake_forget();
    answer(SESSION_NO_NODE, "/a/b");
    assert_true(fake_sent(CREATE));
}

/* Goes on in another process, as if this one had ended. */
static void hand_over(void) {
    struct registration known;
    struct registration copy = {0};
    bool told = reporter_save(reporter, &known);

    copy.wanted = known.wanted;
    copy.unsettled = known.unsettled;
    for (size_t i = 0; i < known.count; i++)
        registration_add(&copy, strdup(known.znodes[i].path),
                         known.znodes[i].current);
    reporter_free(reporter);
    reporter = reporter_new(&service, NULL);
    reporter_restore(reporter, &copy, told);
    reporter_attach(reporter, (struct session *)&now);
    fake_forget();
    fake_log_clear();
}

static void another_process_goes_on_and_only_sets_the_watch(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    answer_created(ZNODE);
    answer(SESSION_OK, ZNODE);
    hand_over();
    assert_true(reporter_is_registered(reporter));
    tell(SESSION_CONNECTED, LINK_NEW_HANDLE);
    assert_true(fake_sent("exists " ZNODE " watch"));
    answer(SESSION_OK, ZNODE);
    assert_true(fake_sent_nothing());
    assert_true(fake_log_is(""));
    reporter_want(reporter, false, now);
    assert_true(fake_sent("delete " ZNODE));
}

static void a_create_that_was_under_way_is_found_again(void **state) {
    char mine[] = "i_0000000007";
    char *children[] = {mine};

    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    hand_over();
    tell(SESSION_CONNECTED, LINK_NEW_HANDLE);
    assert_true(fake_sent("sync /a/b"));
    answer(SESSION_OK, "/a/b");
    answer_with((struct event){.children = children, .count = 1});
    answer_data(FAKE_CLIENT_ID, PAYLOAD);
    assert_true(
        fake_log_is("info web: found the registration " ZNODE " again\n"));
}

static void what_was_not_told_yet_is_not_known_after_either(void **state) {
    (void)state;
    connect_new();
    hand_over();
    tell(SESSION_CONNECTED, LINK_NEW_HANDLE);
    reporter_tick(reporter, now);
    assert_true(fake_sent_nothing());
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
}

/* Registers, and lets the time come for what an earlier run left behind. */
static void search(void) {
    connect_new();
    reporter_want(reporter, true, now);
    answer_created(ZNODE);
    answer(SESSION_OK, ZNODE);
    fake_forget();
    reporter_tick(reporter, now + 1999);
    assert_true(fake_sent_nothing());
    reporter_tick(reporter, now + 2000);
    assert_true(fake_sent("children /a/b"));
    fake_log_clear();
}

static void what_an_earlier_run_left_is_removed_once(void **state) {
    char bare[] = "i_", mine[] = "i_0000000007", left[] = "i_0000000003";
    char *children[] = {bare, mine, left};

    (void)state;
    search();
    answer_with((struct event){.children = children, .count = 3});
    assert_true(fake_sent("get /a/b/i_"));
    answer_data(0, PAYLOAD);
    assert_true(
        fake_log_is("info web: removing /a/b/i_, left by an earlier run\n"));
    assert_true(fake_sent("delete /a/b/i_ ?"));
    answer(SESSION_OK, "/a/b/i_");
    assert_true(fake_sent("get /a/b/i_0000000003"));
    answer_data(0, PAYLOAD);
    assert_true(fake_sent("delete /a/b/i_0000000003 ?"));
    answer(SESSION_NO_NODE, "/a/b/i_0000000003");
    reporter_tick(reporter, now + 1000000);
    assert_true(fake_sent_nothing());
}

/* One of another session, one of another instance, one of this session that
 * another service has. */
static void what_others_have_is_left_alone(void **state) {
    char first[] = "i_0000000001", second[] = "i_0000000002";
    char third[] = "i_0000000003", j[] = "j_0000000004";
    char *children[] = {first, second, third, j};

    (void)state;
    search();
    answer_with((struct event){.children = children, .count = 4});
    answer_data(FAKE_CLIENT_ID + 1, PAYLOAD);
    answer_data(0, "{\"host\":\"g\",\"port\":80,\"name\":\"i\"}");
    fake_forget();
    assert_string_equal(fake_request, "get /a/b/i_0000000003");
    answer_data(FAKE_CLIENT_ID, PAYLOAD);
    reporter_tick(reporter, now + 1000000);
    assert_true(fake_sent_nothing());
    assert_true(fake_log_is(""));
}

/* It is no reason to put off what matters. */
static void what_cannot_be_searched_is_not(void **state) {
    (void)state;
    search();
    answer(SESSION_NO_AUTH, "/a/b");
    reporter_want(reporter, false, now + 2000);
    assert_true(fake_sent("delete " ZNODE));
    assert_true(fake_log_is(""));
}

static void with_an_acl_all_that_is_made_has_it(void **state) {
    static struct service_config guarded;

    guarded = service;
    guarded.creator_acl = true;
    reporter_free(reporter);
    reporter = reporter_new(&guarded, NULL);
    reporter_attach(reporter, (struct session *)&now);
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent("create-esc /a/b/i_ " PAYLOAD));
    answer(SESSION_NO_NODE, "/a/b/i_");
    assert_true(fake_sent("create-c /a/b"));
}

static void surplus_znodes_of_ours_are_deleted(void **state) {
    char first[] = "i_0000000007", second[] = "i_0000000008";
    char *children[] = {first, second};

    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    answer(SESSION_LOST, "/a/b/i_");
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    answer(SESSION_OK, "/a/b");
    answer_with((struct event){.children = children, .count = 2});
    answer_data(FAKE_CLIENT_ID, PAYLOAD);
    fake_forget();
    answer_data(FAKE_CLIENT_ID, PAYLOAD);
    assert_true(fake_sent("delete /a/b/i_0000000008"));
    answer(SESSION_OK, "/a/b/i_0000000008");
    assert_true(fake_sent("exists " ZNODE " watch"));
}

static void a_found_znode_with_other_data_is_set(void **state) {
    char first[] = "i_0000000007";
    char *children[] = {first};

    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    answer(SESSION_LOST, "/a/b/i_");
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    answer(SESSION_OK, "/a/b");
    answer_with((struct event){.children = children, .count = 1});
    fake_forget();
    answer_data(FAKE_CLIENT_ID, "{\"host\":\"h\",\"port\":80,\"name\":\"i\"}");
    assert_true(fake_sent("set " ZNODE " " PAYLOAD));
    answer(SESSION_OK, ZNODE);
    assert_true(fake_sent("exists " ZNODE " watch"));
}

/* Two services of one nerve below one path: each leaves the other's alone. */
static void another_service_of_ours_is_left_alone(void **state) {
    char first[] = "i_0000000007", odd[] = "i_old", longer[] = "i_7_0000000001";
    char *children[] = {odd, longer, first};

    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    answer(SESSION_LOST, "/a/b/i_");
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    answer(SESSION_OK, "/a/b");
    answer_with((struct event){.children = children, .count = 3});
    assert_string_equal(fake_request, "get " ZNODE);
    fake_forget();
    answer_data(FAKE_CLIENT_ID, "{\"host\":\"h\",\"port\":81,\"name\":\"i\"}");
    assert_true(fake_sent(CREATE));
}

static void settling_that_is_interrupted_begins_anew(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    answer(SESSION_LOST, "/a/b/i_");
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    answer(SESSION_OK, "/a/b");
    assert_string_equal(fake_request, "children /a/b");
    answer(SESSION_LOST, "/a/b");
    fake_forget();
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_true(fake_sent("sync /a/b"));
}

/* libzookeeper answers so when a server hangs; the create may have happened. */
static void an_operation_timeout_is_settled_too(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    answer(-7, "/a/b/i_");
    fake_forget();
    tell(SESSION_CONNECTED, LINK_NEW_HANDLE);
    assert_true(fake_sent("sync /a/b"));
}

/* The service's settings have changed: the same registration, other data. */
static void update_it(const char *data) {
    static struct service_config changed;
    static char text[200];

    strcpy(text, data);
    changed = service;
    changed.payload = text;
    reporter_update(reporter, &changed, false);
    reporter_tick(reporter, now);
}

static void changed_data_is_set_once(void **state) {
    (void)state;
    register_it();
    fake_forget();
    reporter_update(reporter, &service, true);
    reporter_tick(reporter, now);
    assert_true(fake_sent_nothing());
    update_it("new");
    assert_true(fake_sent("set " ZNODE " new"));
    answer(SESSION_OK, ZNODE);
    reporter_tick(reporter, now);
    assert_true(fake_sent_nothing());
}

static void data_that_changes_while_it_is_written_is_set_again(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    update_it("new");
    fake_forget();
    answer_created(ZNODE);
    assert_true(fake_sent("set " ZNODE " new"));
    update_it("newer");
    assert_true(fake_sent_nothing());
    answer(SESSION_OK, ZNODE);
    assert_true(fake_sent("set " ZNODE " newer"));
    answer(SESSION_OK, ZNODE);
    assert_true(fake_sent("exists " ZNODE " watch"));
}

static void data_that_changes_without_a_connection_is_set_later(void **state) {
    (void)state;
    register_it();
    tell(SESSION_CONNECTING, LINK_NONE);
    fake_forget();
    update_it("new");
    assert_true(fake_sent_nothing());
    assert_true(reporter_is_registered(reporter));
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_true(fake_sent("set " ZNODE " new"));
}

static void an_expired_session_is_registered_anew(void **state) {
    (void)state;
    register_it();
    fake_forget();
    tell(SESSION_EXPIRED, LINK_NONE);
    assert_true(fake_sent_nothing());
    assert_true(reporter_is_gone(reporter));
    connect_new();
    assert_true(fake_sent(CREATE));
}

/* The answer to a request of the old session must not be taken for the new
 * one's. */
static void an_answer_of_the_session_before_is_not_learnt(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    tell(SESSION_EXPIRED, LINK_NONE);
    connect_new();
    fake_forget();
    assert_true(fake_sent_nothing());
    answer(SESSION_LOST, "/a/b/i_");
    assert_true(fake_sent(CREATE));
}

static void a_reconnect_of_the_same_handle_costs_nothing(void **state) {
    (void)state;
    register_it();
    fake_forget();
    tell(SESSION_CONNECTING, LINK_NONE);
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_true(fake_sent_nothing());
}

static void a_new_handle_verifies_the_znode(void **state) {
    (void)state;
    register_it();
    tell(SESSION_CONNECTED, LINK_NEW_HANDLE);
    assert_true(fake_sent("exists " ZNODE " watch"));
    answer(SESSION_NO_NODE, ZNODE);
    assert_true(fake_sent(CREATE));
}

static void a_deleted_znode_is_made_again_at_once(void **state) {
    (void)state;
    register_it();
    fire(CHANGE_DELETED, ZNODE);
    assert_true(
        fake_log_is("warning web: registration " ZNODE " was deleted\n"));
    assert_true(fake_sent(CREATE));
}

static void a_deletion_that_is_told_twice_counts_once(void **state) {
    (void)state;
    register_it();
    fire(CHANGE_DATA, ZNODE);
    assert_true(fake_sent("exists " ZNODE " watch"));
    fire(CHANGE_DELETED, ZNODE);
    answer(SESSION_NO_NODE, ZNODE);
    assert_true(
        fake_log_is("warning web: registration " ZNODE " was deleted\n"));
    assert_true(fake_sent(CREATE));
}

/* Each time after a second: only what fails in a row is put off longer. That a
 * watch or data succeeded did not end the row, so years later one refusal put
 * the next step off for 30 s. */
static void a_watch_or_data_that_is_refused_is_asked_for_again(void **state) {
    (void)state;
    register_it();
    fire(CHANGE_DATA, ZNODE);
    assert_true(fake_sent("exists " ZNODE " watch"));
    answer(SESSION_NO_AUTH, ZNODE);
    assert_true(fake_sent_nothing());
    now += 1000;
    reporter_tick(reporter, now);
    assert_true(fake_sent("exists " ZNODE " watch"));
    answer(SESSION_OK, ZNODE);
    update_it("new");
    assert_true(fake_sent("set " ZNODE " new"));
    answer(SESSION_NO_AUTH, ZNODE);
    assert_true(fake_sent_nothing());
    now += 1000;
    reporter_tick(reporter, now);
    assert_true(fake_sent("set " ZNODE " new"));
}

static void a_delete_that_is_refused_is_asked_for_again(void **state) {
    (void)state;
    register_it();
    reporter_want(reporter, false, now);
    assert_true(fake_sent("delete " ZNODE));
    answer(SESSION_NO_AUTH, ZNODE);
    assert_true(reporter_is_registered(reporter));
    assert_true(fake_sent_nothing());
    reporter_tick(reporter, now + 1000);
    assert_true(fake_sent("delete " ZNODE));
    answer(SESSION_OK, ZNODE);
    assert_true(reporter_is_gone(reporter));
}

/* The answer says how it was before. */
static void
a_deletion_may_be_told_before_an_answer_that_is_older(void **state) {
    (void)state;
    register_it();
    fire(CHANGE_DATA, ZNODE);
    assert_true(fake_sent("exists " ZNODE " watch"));
    fire(CHANGE_DELETED, ZNODE);
    answer(SESSION_OK, ZNODE);
    assert_true(fake_sent(CREATE));
    answer_created(ZNODE);
    answer(SESSION_OK, ZNODE);
    fake_forget();
    update_it("new");
    assert_true(fake_sent("set " ZNODE " new"));
    fire(CHANGE_DELETED, ZNODE);
    answer(SESSION_OK, ZNODE);
    assert_true(fake_sent("create-es /a/b/i_ new"));
}

static void others_znodes_may_come_and_go(void **state) {
    (void)state;
    register_it();
    fake_forget();
    fire(CHANGE_DELETED, "/a/b/i_0000000001");
    assert_true(fake_sent_nothing());
}

static void a_znode_that_somebody_wrote_to_is_watched_on(void **state) {
    (void)state;
    register_it();
    fire(CHANGE_DATA, ZNODE);
    assert_true(fake_sent("exists " ZNODE " watch"));
}

static void an_event_without_a_path_is_of_no_znode(void **state) {
    (void)state;
    register_it();
    fake_forget();
    fire(CHANGE_DELETED, NULL);
    assert_true(fake_sent_nothing());
    assert_true(reporter_is_registered(reporter));
}

static void lost_watches_are_set_again(void **state) {
    struct event ev = {.type = EVENT_OVERFLOW};

    (void)state;
    register_it();
    reporter_absorb(reporter, &ev, now);
    assert_true(fake_sent("exists " ZNODE " watch"));
}

static void the_fourth_deletion_in_a_minute_is_a_shared_identity(void **state) {
    (void)state;
    register_it();
    for (int i = 0; i < 3; i++) {
        fire(CHANGE_DELETED, ZNODE);
        answer_created(ZNODE);
        answer(SESSION_OK, ZNODE);
    }
    fake_log_clear();
    fire(CHANGE_DELETED, ZNODE);
    fake_forget();
    assert_true(fake_log_is(
        "warning web: registration " ZNODE " was deleted\n"
        "warning web: registration deleted more than 3 times in a minute; "
        "another nerve may have the same instance_id; next try in 2 s\n"));
    reporter_tick(reporter, now + 1999);
    assert_true(fake_sent_nothing());
    fake_forget();
    reporter_tick(reporter, now + 2000);
    assert_true(fake_sent(CREATE));
}

static void a_lost_delete_is_sent_again(void **state) {
    (void)state;
    register_it();
    reporter_want(reporter, false, now);
    assert_true(fake_sent("delete " ZNODE));
    answer(SESSION_LOST, ZNODE);
    assert_false(reporter_is_gone(reporter));
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_true(fake_sent("delete " ZNODE));
    answer(SESSION_NO_NODE, ZNODE);
    assert_true(reporter_is_gone(reporter));
}

static void a_lost_delete_that_happened_is_no_others_doing(void **state) {
    (void)state;
    register_it();
    reporter_want(reporter, false, now);
    answer(SESSION_LOST, ZNODE);
    fire(CHANGE_DELETED, ZNODE);
    assert_true(fake_log_is("info web: registration " ZNODE " removed\n"));
    assert_true(reporter_is_gone(reporter));
}

static void a_request_refused_at_once_waits_for_the_connection(void **state) {
    (void)state;
    connect_new();
    fake_refusal = SESSION_INVALID_STATE;
    reporter_want(reporter, true, now);
    assert_true(fake_log_is(""));
    fake_refusal = 0;
    fake_forget();
    reporter_tick(reporter, now + 100000);
    assert_true(fake_sent_nothing());
    fake_forget();
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_true(fake_sent(CREATE));
}

static void a_request_that_cannot_be_sent_is_told_and_sent_later(void **state) {
    (void)state;
    connect_new();
    fake_refusal = SESSION_NO_MEMORY;
    reporter_want(reporter, true, now);
    assert_true(fake_log_is(
        "warning web: registration below /a/b failed (some error); next try "
        "in 1 s, then later and later\n"));
    assert_string_equal(reporter_trouble(reporter), "some error");
    fake_refusal = 0;
    fake_forget();
    reporter_tick(reporter, now + 999);
    assert_true(fake_sent_nothing());
    reporter_tick(reporter, now + 1000);
    assert_true(fake_sent(CREATE));
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_reporter, close_reporter)

#define WEIGHED(n)                                                             \
    "{\"host\":\"h\",\"port\":80,\"name\":\"i\",\"weight\":" n "}"

static void one_taken_out_drains_first_and_then_goes(void **state) {
    (void)state;
    register_it();
    assert_false(reporter_is_held(reporter));
    take_out(1500);
    assert_true(reporter_is_held(reporter));
    assert_true(fake_sent("set " ZNODE " " WEIGHED("0")));
    reporter_tick(reporter, now + 60000);
    assert_true(fake_sent_nothing());
    answer(SESSION_OK, ZNODE);
    reporter_tick(reporter, now + 1499);
    assert_true(fake_sent_nothing());
    assert_false(reporter_is_settled(reporter));
    reporter_tick(reporter, now + 1500);
    assert_true(fake_sent("delete " ZNODE));
    assert_false(reporter_is_settled(reporter));
    answer(SESSION_OK, ZNODE);
    assert_true(reporter_is_settled(reporter));
    reporter_want(reporter, true, now + 6000);
    assert_true(fake_sent_nothing());
}

static void one_that_need_not_drain_goes_at_once(void **state) {
    (void)state;
    register_it();
    take_out(0);
    assert_true(fake_sent("delete " ZNODE));
}

static void one_that_goes_down_while_it_drains_goes_at_once(void **state) {
    (void)state;
    register_it();
    take_out(5000);
    assert_true(fake_sent("set " ZNODE " " WEIGHED("0")));
    answer(SESSION_OK, ZNODE);
    reporter_want(reporter, false, now + 10);
    assert_true(fake_sent("delete " ZNODE));
}

static void one_taken_out_before_it_is_up_is_not_registered(void **state) {
    (void)state;
    connect_new();
    take_out(5000);
    assert_true(reporter_is_settled(reporter));
    reporter_want(reporter, true, now);
    assert_true(fake_sent_nothing());
    assert_true(reporter_is_settled(reporter));
    reporter_obey(reporter, NULL, now);
    assert_true(fake_sent(CREATE));
    assert_false(reporter_is_settled(reporter));
    answer_created(ZNODE);
    assert_true(reporter_is_settled(reporter));
}

static void another_process_knows_that_one_taken_out_is_up(void **state) {
    (void)state;
    connect_new();
    take_out(0);
    reporter_want(reporter, true, now);
    hand_over();
    take_out(0);
    tell(SESSION_CONNECTED, LINK_NEW_HANDLE);
    assert_true(fake_sent_nothing());
    reporter_obey(reporter, NULL, now);
    assert_true(fake_sent(CREATE));
}

static void
one_taken_out_while_it_is_being_made_is_removed_again(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    take_out(0);
    assert_false(reporter_is_settled(reporter));
    answer_created(ZNODE);
    assert_true(fake_sent("delete " ZNODE));
}

static void a_drain_begins_when_zookeeper_is_back(void **state) {
    (void)state;
    register_it();
    tell(SESSION_CONNECTING, LINK_NONE);
    take_out(5000);
    reporter_tick(reporter, now + 60000);
    assert_true(fake_sent_nothing());
    assert_false(reporter_is_settled(reporter));
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_true(fake_sent("set " ZNODE " " WEIGHED("0")));
}

static void a_drain_that_ends_early_shows_the_weight_again(void **state) {
    (void)state;
    register_it();
    take_out(5000);
    assert_true(fake_sent("set " ZNODE " " WEIGHED("0")));
    answer(SESSION_OK, ZNODE);
    reporter_obey(reporter, NULL, now);
    assert_true(fake_sent("set " ZNODE " " PAYLOAD));
    answer(SESSION_OK, ZNODE);
    take_out(5000);
    assert_true(fake_sent("set " ZNODE " " WEIGHED("0")));
}

static void a_held_weight_is_published_until_it_is_ended(void **state) {
    struct service_config changed = service;
    char other[] = WEIGHED("8");

    (void)state;
    register_it();
    weigh(3);
    assert_true(fake_sent("set " ZNODE " " WEIGHED("3")));
    assert_false(reporter_is_settled(reporter));
    answer(SESSION_OK, ZNODE);
    assert_true(reporter_is_settled(reporter));
    weigh(3);
    assert_true(fake_sent_nothing());
    changed.payload = other;
    reporter_update(reporter, &changed, false);
    reporter_tick(reporter, now);
    assert_true(fake_sent_nothing());
    reporter_obey(reporter, NULL, now);
    assert_true(fake_sent("set " ZNODE " " WEIGHED("8")));
    reporter_update(reporter, &service, false);
}

/* What is under way says the old weight, whatever comes of it. */
static void a_weight_that_changes_while_it_is_made_is_set(void **state) {
    (void)state;
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent(CREATE));
    weigh(3);
    answer_created(ZNODE);
    assert_true(fake_sent("set " ZNODE " " WEIGHED("3")));
}

static void a_lost_create_is_found_before_its_name_changes(void **state) {
    struct service_config encoded = service;
    char instance_id[] = "i", first[] = "base64_0__";

    (void)state;
    encoded.encoded = true;
    encoded.instance_id = instance_id;
    encoded.node = first;
    reporter_update(reporter, &encoded, true);
    connect_new();
    reporter_want(reporter, true, now);
    assert_true(fake_sent("create-es /a/b/base64_0__ " PAYLOAD));
    weigh(3);
    answer(SESSION_LOST, "/a/b");
    tell(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_true(fake_sent("sync /a/b"));
    answer(SESSION_OK, "/a/b");
    assert_true(fake_sent("children /a/b"));
    answer_with((struct event){.count = 0});
    assert_true(fake_sent("create-es /a/b/base64_60_"
                          "eyJob3N0IjoiaCIsInBvcnQiOjgwLCJuYW1lIjoiaSIsIndlaWdo"
                          "dCI6M30=_ " WEIGHED("3")));
    reporter_update(reporter, &service, true);
}

static void
a_name_that_has_the_data_is_made_before_the_old_one_goes(void **state) {
    struct service_config encoded = service;
    char instance_id[] = "i", first[] = "base64_0__";

    (void)state;
    encoded.encoded = true;
    encoded.instance_id = instance_id;
    encoded.node = first;
    reporter_update(reporter, &encoded, true);
    register_it_as("create-es /a/b/base64_0__ " PAYLOAD);
    weigh(3);
    assert_true(fake_sent("create-es /a/b/base64_60_"
                          "eyJob3N0IjoiaCIsInBvcnQiOjgwLCJuYW1lIjoiaSIsIndlaWdo"
                          "dCI6M30=_ " WEIGHED("3")));
    answer_created("/a/b/new");
    assert_true(fake_sent("delete " ZNODE));
    answer(SESSION_OK, ZNODE);
    assert_true(fake_sent("exists /a/b/new watch"));
    reporter_update(reporter, &service, true);
}

static void nothing_is_sent_in_a_session_that_is_new(void **state) {
    (void)state;
    register_it();
    reporter_attach(reporter, NULL);
    assert_false(reporter_is_connected(reporter));
    fake_forget();
    update_it("new");
    assert_true(fake_sent_nothing());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_sent_before_the_session_is_connected),
        TEST(a_service_is_registered_once_and_watched),
        TEST(an_answer_to_another_reporter_changes_nothing),
        TEST(a_service_that_is_down_is_not_registered),
        TEST(a_service_that_went_down_meanwhile_is_removed_again),
        TEST(parents_are_made_as_needed),
        TEST(a_chroot_that_is_not_there_is_made),
        TEST(a_number_given_twice_is_no_busy_loop),
        TEST(a_candidate_that_cannot_be_read_is_looked_at_again),
        TEST(each_code_of_a_server_is_told_and_waited_out),
        TEST(a_refusal_is_told_once_and_tried_again_later),
        TEST(a_lost_create_that_happened_is_found_again),
        TEST(a_lost_create_that_did_not_happen_is_made_again),
        TEST(a_lost_create_below_no_path_is_made_again),
        TEST(another_process_goes_on_and_only_sets_the_watch),
        TEST(a_create_that_was_under_way_is_found_again),
        TEST(what_was_not_told_yet_is_not_known_after_either),
        TEST(what_an_earlier_run_left_is_removed_once),
        TEST(what_others_have_is_left_alone),
        TEST(what_cannot_be_searched_is_not),
        TEST(with_an_acl_all_that_is_made_has_it),
        TEST(surplus_znodes_of_ours_are_deleted),
        TEST(a_found_znode_with_other_data_is_set),
        TEST(another_service_of_ours_is_left_alone),
        TEST(settling_that_is_interrupted_begins_anew),
        TEST(an_operation_timeout_is_settled_too),
        TEST(changed_data_is_set_once),
        TEST(data_that_changes_while_it_is_written_is_set_again),
        TEST(data_that_changes_without_a_connection_is_set_later),
        TEST(an_expired_session_is_registered_anew),
        TEST(an_answer_of_the_session_before_is_not_learnt),
        TEST(a_reconnect_of_the_same_handle_costs_nothing),
        TEST(a_new_handle_verifies_the_znode),
        TEST(a_deleted_znode_is_made_again_at_once),
        TEST(a_deletion_that_is_told_twice_counts_once),
        TEST(a_watch_or_data_that_is_refused_is_asked_for_again),
        TEST(a_delete_that_is_refused_is_asked_for_again),
        TEST(a_deletion_may_be_told_before_an_answer_that_is_older),
        TEST(others_znodes_may_come_and_go),
        TEST(a_znode_that_somebody_wrote_to_is_watched_on),
        TEST(an_event_without_a_path_is_of_no_znode),
        TEST(lost_watches_are_set_again),
        TEST(the_fourth_deletion_in_a_minute_is_a_shared_identity),
        TEST(a_lost_delete_is_sent_again),
        TEST(a_lost_delete_that_happened_is_no_others_doing),
        TEST(a_request_refused_at_once_waits_for_the_connection),
        TEST(a_request_that_cannot_be_sent_is_told_and_sent_later),
        TEST(one_taken_out_drains_first_and_then_goes),
        TEST(one_that_need_not_drain_goes_at_once),
        TEST(one_that_goes_down_while_it_drains_goes_at_once),
        TEST(one_taken_out_before_it_is_up_is_not_registered),
        TEST(another_process_knows_that_one_taken_out_is_up),
        TEST(one_taken_out_while_it_is_being_made_is_removed_again),
        TEST(a_drain_begins_when_zookeeper_is_back),
        TEST(a_drain_that_ends_early_shows_the_weight_again),
        TEST(a_held_weight_is_published_until_it_is_ended),
        TEST(a_weight_that_changes_while_it_is_made_is_set),
        TEST(a_lost_create_is_found_before_its_name_changes),
        TEST(a_name_that_has_the_data_is_made_before_the_old_one_goes),
        TEST(nothing_is_sent_in_a_session_that_is_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
