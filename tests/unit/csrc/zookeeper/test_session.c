/* test_session.c - tests of csrc/zookeeper/session.c on fake handles and a fake
 * clock
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/zookeeper/session.h"

#include "tests/fake/fake_clock.c"
#include "tests/fake/fake_handle.c"

#define TIMEOUT_MS 10000
#define IN_FLIGHT  4

static struct queue *queue;
static struct session *s;

static void open_session(const char *hosts) {
    struct session_options options = {.hosts = hosts,
                                      .max_in_flight = IN_FLIGHT};

    s = session_open(queue, NULL, &options, NULL);
}

static int make(void **state) {
    (void)state;
    fake_handle_reset();
    queue = queue_new(1000);
    open_session("10.0.0.1:2181");
    return s ? 0 : -1;
}

static int unmake(void **state) {
    (void)state;
    session_close(s);
    queue_free(queue);
    return 0;
}

/* Returns the next event that is news, or NULL. */
static struct event *news(void) {
    struct event *ev;

    while ((ev = queue_pop(queue))) {
        if (session_absorb(s, ev))
            return ev;
        event_free(ev);
    }
    return NULL;
}

static void ignore_news(void) {
    struct event *ev;

    while ((ev = news()))
        event_free(ev);
}

static void assert_no_news(void) { assert_null(news()); }

static void assert_state_news(enum session_state state,
                              enum session_link link) {
    struct event *ev = news();

    assert_non_null(ev);
    assert_int_equal(ev->type, EVENT_SESSION);
    assert_int_equal(ev->session, session_number(s));
    assert_string_equal(session_state_name(ev->state),
                        session_state_name(state));
    assert_int_equal(ev->link, link);
    assert_int_equal(session_state(s), state);
    event_free(ev);
}

static void assert_reply_news(int64_t request, int code) {
    struct event *ev = news();

    assert_non_null(ev);
    assert_int_equal(ev->type, EVENT_REPLY);
    assert_int_equal(ev->session, session_number(s));
    assert_int_equal(ev->request, request);
    assert_int_equal(ev->code, code);
    event_free(ev);
}

/* Passes <ms> in steps of a quarter of a second, as a loop does. */
static void pass(int64_t ms) {
    for (; ms > 0; ms -= 250) {
        fake_clock_pass_ms(ms < 250 ? ms : 250);
        session_tick(s);
    }
}

/* Connects the handle opened last, answers what a connection begins with, and
 * forgets the news. */
static void connect_it(void) {
    fake_connect(fake_handle());
    ignore_news();
    while (handle_requests(fake_handle())) {
        fake_reply(handle_requests(fake_handle()), SESSION_OK);
        ignore_news();
    }
}

/* Returns the <n>th request in flight of the handle opened last, or NULL. */
static struct request *flying(int n) {
    struct request *r = handle_requests(fake_handle());

    while (r && n-- > 0)
        r = r->next;
    return r;
}

/* ---- from opening to connected */

static void opens_a_handle_at_once_for_a_new_session(void **state) {
    (void)state;
    assert_int_equal(fake_handles_made, 1);
    assert_int_equal(fake_handle()->resume.id, 0);
    assert_int_equal(fake_handle()->timeout_ms, TIMEOUT_MS);
    assert_int_equal(session_state(s), SESSION_CONNECTING);
    assert_int_equal(session_client_id(s), 0);
    assert_int_equal(session_timeout(s), 0);
    assert_no_news();
}

static void gives_the_library_addresses_without_brackets(void **state) {
    (void)state;
    session_close(s);
    open_session("[::1]:2181,10.0.0.1:2181/chroot");
    assert_string_equal(fake_handle()->hosts, "::1:2181,10.0.0.1:2181/chroot");
}

/* Closes the session and opens one that resumes the session 0x77. */
static void open_resuming(void) {
    struct session_identity before = {.id = 0x77,
                                      .password = "0123456789abcde"};
    struct session_options options = {.hosts = "[::1]:2181", .resume = &before};

    session_close(s);
    s = session_open(queue, NULL, &options, NULL);
    assert_int_equal(fake_handle()->resume.id, 0x77);
    assert_string_equal(fake_handle()->resume.password, "0123456789abcde");
}

static void resumes_a_session_of_another_process(void **state) {
    struct session_identity now;

    (void)state;
    open_resuming();
    fake_connect(fake_handle());
    assert_state_news(SESSION_CONNECTED, LINK_NEW_HANDLE);
    now = session_identity(s);
    assert_int_equal(now.id, 0x77);
    assert_string_equal(now.password, "0123456789abcde");
    assert_string_equal(session_hosts(s), "::1:2181");
}

static void opens_a_new_session_where_the_resumed_one_has_ended(void **state) {
    (void)state;
    open_resuming();
    fake_die(fake_handle(), SESSION_EXPIRED);
    assert_state_news(SESSION_EXPIRED, LINK_NONE);
    assert_int_equal(fake_handle()->resume.id, 0);
    fake_connect(fake_handle());
    assert_state_news(SESSION_CONNECTED, LINK_NEW_SESSION);
}

static void reports_a_new_session_when_it_is_first_connected(void **state) {
    struct event *ev;

    (void)state;
    fake_handle()->timeout_ms = 4000;
    fake_connect(fake_handle());
    ev = news();
    assert_int_equal(ev->state, SESSION_CONNECTED);
    assert_int_equal(ev->link, LINK_NEW_SESSION);
    assert_int_equal(ev->timeout_ms, 4000);
    assert_int_equal(ev->client_id, 0x1001);
    assert_int_equal(session_client_id(s), 0x1001);
    assert_int_equal(session_timeout(s), 4000);
    event_free(ev);
}

static void
sends_a_sync_before_anything_else_and_keeps_it_to_itself(void **state) {
    (void)state;
    fake_connect(fake_handle());
    assert_state_news(SESSION_CONNECTED, LINK_NEW_SESSION);
    session_get(s, "/a", false);
    assert_int_equal(flying(0)->op, OP_SYNC);
    assert_int_equal(flying(1)->op, OP_GET);
    fake_reply(flying(0), SESSION_OK);
    assert_no_news();
    assert_int_equal(session_pending(s), 1);
}

static void knows_the_same_handle_again(void **state) {
    (void)state;
    connect_it();
    fake_lose(fake_handle());
    assert_state_news(SESSION_CONNECTING, LINK_NONE);
    fake_connect(fake_handle());
    assert_state_news(SESSION_CONNECTED, LINK_SAME_HANDLE);
    assert_int_equal(fake_handles_made, 1);
    assert_int_equal(flying(0)->op, OP_SYNC);
}

/* ---- silence */

static void is_patient_for_one_session_timeout(void **state) {
    (void)state;
    connect_it();
    fake_lose(fake_handle());
    ignore_news();
    pass(TIMEOUT_MS - 1);
    assert_no_news();
    assert_int_equal(fake_handles_made, 1);
}

static void replaces_a_silent_handle_and_resumes_the_session(void **state) {
    (void)state;
    connect_it();
    fake_lose(fake_handle());
    ignore_news();
    pass(TIMEOUT_MS);
    assert_state_news(SESSION_UNKNOWN, LINK_NONE);
    assert_int_equal(fake_handles_made, 2);
    assert_true(fake_handles[0].abandoned);
    assert_true(fake_handles[0].closed);
    assert_int_equal(fake_handle()->resume.id, 0x1001);
    assert_memory_equal(fake_handle()->resume.password, "pppppppppppppppp", 16);
    fake_connect(fake_handle());
    assert_state_news(SESSION_CONNECTED, LINK_NEW_HANDLE);
    assert_int_equal(session_client_id(s), 0x1001);
}

static void waits_for_the_timeout_that_the_server_gave(void **state) {
    (void)state;
    fake_handle()->timeout_ms = 4000;
    connect_it();
    fake_lose(fake_handle());
    ignore_news();
    pass(4000);
    assert_state_news(SESSION_UNKNOWN, LINK_NONE);
}

static void
says_unknown_once_and_replaces_the_handle_each_timeout(void **state) {
    (void)state;
    connect_it();
    fake_lose(fake_handle());
    ignore_news();
    pass(5 * TIMEOUT_MS);
    assert_state_news(SESSION_UNKNOWN, LINK_NONE);
    assert_no_news();
    assert_int_equal(fake_handles_made, 6);
    for (int i = 1; i < 6; i++)
        assert_int_equal(fake_handles[i].resume.id, 0x1001);
}

static void says_unknown_when_no_server_ever_answers(void **state) {
    (void)state;
    pass(TIMEOUT_MS);
    assert_state_news(SESSION_UNKNOWN, LINK_NONE);
    assert_int_equal(fake_handle()->resume.id, 0);
    fake_connect(fake_handle());
    assert_state_news(SESSION_CONNECTED, LINK_NEW_SESSION);
}

/* A handle spends two thirds of a timeout on a server that accepts and does
 * not answer. Were each to begin with the same two, no third one would ever be
 * asked. */
static void begins_with_another_server_on_each_handle(void **state) {
    (void)state;
    session_close(s);
    open_session("10.0.0.1:1,10.0.0.2:2,10.0.0.3:3/x");
    pass(TIMEOUT_MS);
    assert_string_equal(fake_handle()->hosts,
                        "10.0.0.2:2,10.0.0.3:3,10.0.0.1:1/x");
    pass(TIMEOUT_MS);
    assert_string_equal(fake_handle()->hosts,
                        "10.0.0.3:3,10.0.0.1:1,10.0.0.2:2/x");
}

static void never_abandons_a_connected_handle(void **state) {
    (void)state;
    connect_it();
    fake_lose(fake_handle());
    ignore_news();
    fake_handle()->connected = true; /* the event is still on its way */
    pass(3 * TIMEOUT_MS);
    assert_int_equal(fake_handles_made, 1);
    assert_false(fake_handle()->closed);
}

/* Without memory for the event of a connection only the overflow was told, and
 * the session stayed away for ever although its handle was connected. */
static void notices_a_connection_whose_event_was_lost(void **state) {
    (void)state;
    fake_handle()->identity.id = 0x77;
    fake_handle()->connected = true;
    pass(2 * TIMEOUT_MS);
    assert_state_news(SESSION_CONNECTED, LINK_NEW_SESSION);
    assert_int_equal(session_client_id(s), 0x77);
    assert_no_news();
}

static void reports_a_connection_once_that_is_read_late(void **state) {
    (void)state;
    fake_connect(fake_handle());
    pass(TIMEOUT_MS);
    assert_state_news(SESSION_CONNECTED, LINK_NEW_SESSION);
    assert_no_news();
}

/* They were used from the next handle on, a session timeout later: the session
 * expired where it could have been resumed. */
static void gives_other_hosts_at_once_to_a_handle_that_is_away(void **state) {
    (void)state;
    connect_it();
    fake_lose(fake_handle());
    ignore_news();
    pass(TIMEOUT_MS - 1000);
    assert_int_equal(session_set_hosts(s, "[::2]:2181,10.0.0.1:2181"), 0);
    assert_int_equal(fake_handles_made, 2);
    assert_true(fake_handles[0].closed);
    assert_string_equal(fake_handle()->hosts, "::2:2181,10.0.0.1:2181");
    assert_int_equal(fake_handle()->resume.id, 0x1001);
    assert_no_news();
    assert_int_equal(session_set_hosts(s, "10.0.0.1:2181,[::2]:2181"), 0);
    assert_int_equal(fake_handles_made, 2);
    pass(1000);
    assert_state_news(SESSION_UNKNOWN, LINK_NONE);
}

static void
gives_other_hosts_to_a_connected_handle_when_it_is_lost(void **state) {
    (void)state;
    connect_it();
    assert_int_equal(session_set_hosts(s, "10.0.0.2:2181"), 0);
    assert_string_equal(session_hosts(s), "10.0.0.2:2181");
    assert_int_equal(fake_handles_made, 1);
    fake_lose(fake_handle());
    ignore_news();
    assert_int_equal(fake_handles_made, 2);
    assert_string_equal(fake_handle()->hosts, "10.0.0.2:2181");
    assert_int_equal(fake_handle()->resume.id, 0x1001);
}

/* The silence of the handle before it is none of a later session. */
static void a_new_session_has_a_timeout_of_its_own(void **state) {
    (void)state;
    connect_it();
    fake_lose(fake_handle());
    ignore_news();
    assert_int_equal(session_set_hosts(s, "10.0.0.2:2181"), 0);
    connect_it();
    pass(3 * TIMEOUT_MS);
    fake_die(fake_handle(), SESSION_EXPIRED);
    ignore_news();
    assert_int_equal(fake_handles_made, 3);
    pass(TIMEOUT_MS - 250);
    assert_no_news();
    pass(250);
    assert_state_news(SESSION_UNKNOWN, LINK_NONE);
}

/* ---- losses in a row */

static void replaces_a_handle_that_keeps_losing_its_connection(void **state) {
    (void)state;
    connect_it();
    for (int i = 0; i < 4; i++) {
        fake_lose(fake_handle());
        ignore_news();
        connect_it();
        pass(500);
    }
    assert_int_equal(fake_handles_made, 1);
    fake_lose(fake_handle());
    ignore_news();
    assert_int_equal(fake_handles_made, 2);
    assert_int_equal(fake_handle()->resume.id, 0x1001);
    fake_connect(fake_handle());
    assert_state_news(SESSION_CONNECTED, LINK_NEW_HANDLE);
}

static void
keeps_a_handle_that_loses_its_connection_now_and_then(void **state) {
    (void)state;
    connect_it();
    for (int i = 0; i < 20; i++) {
        fake_lose(fake_handle());
        ignore_news();
        connect_it();
        pass(3000);
    }
    assert_int_equal(fake_handles_made, 1);
}

/* Connects, and a server answers the sync with <code> and ends the
 * connection. */
static void refuse_it(int code) {
    fake_connect(fake_handle());
    ignore_news();
    fake_reply(flying(0), code);
    ignore_news();
    fake_lose(fake_handle());
}

static void assert_lost(int code) {
    struct event *ev = news();

    assert_non_null(ev);
    assert_int_equal(ev->state, SESSION_CONNECTING);
    assert_int_equal(ev->code, code);
    event_free(ev);
    ignore_news();
}

/* A server with enforce.auth was connected to as often as the library could,
 * 20 times a second, and nothing named what it said. */
static void waits_longer_and_longer_where_requests_are_refused(void **state) {
    static const int waits[] = {1000, 2000, 3333, 3333};
    int made = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
        refuse_it(SESSION_WANTS_AUTH);
        assert_lost(SESSION_WANTS_AUTH);
        assert_int_equal(fake_handles_made, made);
        fake_clock_pass_ms(waits[i] - 1);
        session_tick(s);
        assert_int_equal(fake_handles_made, made);
        fake_clock_pass_ms(1);
        session_tick(s);
        assert_int_equal(fake_handles_made, ++made);
        assert_int_equal(fake_handle()->resume.id, 0x1001);
    }
    connect_it();
    fake_lose(fake_handle());
    assert_lost(SESSION_OK);
    assert_int_equal(fake_handles_made, made);
}

/* A server that ended each connection before there was a session was
 * connected to 20 times a second for ever: of that the library says nothing to
 * its user. */
static void waits_longer_and_longer_where_no_server_lets_it_in(void **state) {
    static const int waits[] = {1000, 1666, 1666, 1666};
    int made = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
        fake_handle()->rounds = i == 0 ? 2 : 0;
        session_tick(s);
        assert_false(fake_handle()->closed);
        fake_handle()->rounds++;
        session_tick(s);
        assert_true(fake_handle()->closed);
        fake_clock_pass_ms(waits[i] - 1);
        session_tick(s);
        assert_int_equal(fake_handles_made, made);
        fake_clock_pass_ms(1);
        session_tick(s);
        assert_int_equal(fake_handles_made, ++made);
    }
    connect_it();
    fake_handle()->rounds = 9;
    session_tick(s);
    assert_false(fake_handle()->closed);
}

/* Servers that let it in between two outages do not turn it away. */
/* An answer proves a server that lets it in. */
static void waits_shortly_again_after_an_answer(void **state) {
    int made;

    (void)state;
    for (int i = 0; i < 3; i++) {
        refuse_it(SESSION_WANTS_AUTH);
        ignore_news();
        pass(4000);
    }
    connect_it();
    made = fake_handles_made;
    fake_lose(fake_handle());
    ignore_news();
    /* It goes through all servers three times again, and then waits a second.
     */
    fake_handle()->rounds += 2;
    session_tick(s);
    assert_false(fake_handle()->closed);
    fake_handle()->rounds++;
    session_tick(s);
    assert_true(fake_handle()->closed);
    fake_clock_pass_ms(999);
    session_tick(s);
    assert_int_equal(fake_handles_made, made);
    fake_clock_pass_ms(1);
    session_tick(s);
    assert_int_equal(fake_handles_made, made + 1);
}

/* The pause was for those that it had. */
static void tries_other_hosts_at_once_that_it_gets_in_a_pause(void **state) {
    (void)state;
    fake_handle()->rounds = 3;
    session_tick(s);
    assert_true(fake_handle()->closed);
    assert_int_equal(session_set_hosts(s, "10.0.0.1:2181"), 0);
    session_tick(s);
    assert_int_equal(fake_handles_made, 1);
    assert_int_equal(session_set_hosts(s, "10.0.0.2:2181"), 0);
    session_tick(s);
    assert_int_equal(fake_handles_made, 2);
    assert_string_equal(fake_handle()->hosts, "10.0.0.2:2181");
}

/* Another server refuses the same credentials. */
static void waits_also_with_other_hosts_where_it_is_refused(void **state) {
    (void)state;
    refuse_it(SESSION_WANTS_AUTH);
    ignore_news();
    assert_int_equal(session_set_hosts(s, "10.0.0.2:2181"), 0);
    session_tick(s);
    assert_int_equal(fake_handles_made, 1);
    pass(1000);
    assert_int_equal(fake_handles_made, 2);
}

static void counts_the_rounds_since_it_was_connected(void **state) {
    (void)state;
    fake_handle()->rounds = 2;
    connect_it();
    fake_handle()->rounds = 4;
    fake_lose(fake_handle());
    ignore_news();
    session_tick(s);
    assert_false(fake_handle()->closed);
    fake_handle()->rounds = 5;
    session_tick(s);
    assert_true(fake_handle()->closed);
}

static void says_unknown_in_time_where_no_server_lets_it_in(void **state) {
    int64_t began;
    struct event *ev = NULL;

    (void)state;
    connect_it();
    fake_lose(fake_handle());
    ignore_news();
    for (began = clock_ms(); !ev && clock_ms() - began < 20000; ev = news()) {
        fake_clock_pass_ms(100);
        fake_handle()->rounds = 3;
        session_tick(s);
    }
    assert_non_null(ev);
    assert_int_equal(ev->state, SESSION_UNKNOWN);
    assert_in_range(clock_ms() - began, 10000, 12000);
    event_free(ev);
}

/* The same of a server that ends each connection without a word. */
static void waits_where_connections_end_without_an_answer(void **state) {
    int made;

    (void)state;
    connect_it();
    for (int i = 0; i < 6; i++) {
        fake_lose(fake_handle());
        ignore_news();
        if (i < 5)
            fake_connect(fake_handle());
        ignore_news();
    }
    made = fake_handles_made;
    pass(750);
    assert_int_equal(fake_handles_made, made);
    pass(250);
    assert_int_equal(fake_handles_made, made + 1);
}

/* ---- death */

static void opens_a_new_session_at_once_when_it_expired(void **state) {
    (void)state;
    connect_it();
    fake_die(fake_handle(), SESSION_EXPIRED);
    assert_state_news(SESSION_EXPIRED, LINK_NONE);
    assert_int_equal(fake_handles_made, 2);
    assert_true(fake_handles[0].closed);
    assert_int_equal(fake_handle()->resume.id, 0);
    fake_connect(fake_handle());
    assert_state_news(SESSION_CONNECTED, LINK_NEW_SESSION);
    assert_int_equal(session_client_id(s), 0x1002);
}

/* Each handle that was opened while the servers were away had doubled the
 * wait, up to a minute: so long was everything unregistered after an outage
 * that lost the data. */
static void opens_a_new_session_at_once_also_after_an_outage(void **state) {
    (void)state;
    connect_it();
    fake_lose(fake_handle());
    pass(6 * TIMEOUT_MS);
    ignore_news();
    fake_die(fake_handle(), SESSION_EXPIRED);
    assert_state_news(SESSION_EXPIRED, LINK_NONE);
    assert_false(fake_handle()->closed);
    assert_int_equal(fake_handle()->resume.id, 0);
}

static void opens_one_session_a_second_where_they_all_expire(void **state) {
    (void)state;
    fake_die(fake_handle(), SESSION_EXPIRED);
    ignore_news();
    assert_int_equal(fake_handles_made, 2);
    fake_die(fake_handle(), SESSION_EXPIRED);
    ignore_news();
    pass(999);
    assert_int_equal(fake_handles_made, 2);
    pass(1);
    assert_int_equal(fake_handles_made, 3);
}

static void waits_a_minute_after_wrong_credentials(void **state) {
    (void)state;
    connect_it();
    fake_die(fake_handle(), SESSION_AUTH_FAILED);
    assert_state_news(SESSION_AUTH_FAILED, LINK_NONE);
    pass(59000);
    assert_int_equal(fake_handles_made, 1);
    pass(1000);
    assert_int_equal(fake_handles_made, 2);
    assert_int_equal(fake_handle()->resume.id, 0);
}

/* ---- requests */

static void refuses_requests_while_it_is_not_connected(void **state) {
    (void)state;
    assert_int_equal(session_get(s, "/a", false), SESSION_INVALID_STATE);
    assert_int_equal(session_get_children(s, "/a", false),
                     SESSION_INVALID_STATE);
    assert_int_equal(session_exists(s, "/a", false), SESSION_INVALID_STATE);
    assert_int_equal(session_create(s, "/a", "", 0, CREATE_PERSISTENT),
                     SESSION_INVALID_STATE);
    assert_int_equal(session_set(s, "/a", "", 0, -1), SESSION_INVALID_STATE);
    assert_int_equal(session_delete(s, "/a", -1), SESSION_INVALID_STATE);
    assert_int_equal(session_sync(s, "/a"), SESSION_INVALID_STATE);
    assert_int_equal(session_pending(s), 0);
}

static void sends_each_kind_of_request_as_it_was_asked(void **state) {
    (void)state;
    connect_it();
    session_get_children(s, "/a", true);
    session_exists(s, "/b", false);
    session_create(s, "/c", "data", 4, CREATE_EPHEMERAL | CREATE_SEQUENTIAL);
    session_set(s, "/d", "more", 4, 7);
    assert_int_equal(flying(0)->op, OP_GET_CHILDREN);
    assert_string_equal(flying(0)->path, "/a");
    assert_true(flying(0)->watch);
    assert_int_equal(flying(1)->op, OP_EXISTS);
    assert_false(flying(1)->watch);
    assert_int_equal(flying(2)->op, OP_CREATE);
    assert_string_equal(flying(2)->data, "data");
    assert_int_equal(flying(2)->mode, CREATE_EPHEMERAL | CREATE_SEQUENTIAL);
    assert_int_equal(flying(3)->op, OP_SET);
    assert_int_equal(flying(3)->version, 7);
}

static void sends_a_delete_with_its_version(void **state) {
    (void)state;
    connect_it();
    session_delete(s, "/e", 3);
    assert_int_equal(flying(0)->op, OP_DELETE);
    assert_int_equal(flying(0)->version, 3);
    assert_null(flying(0)->data);
}

static void passes_a_reply_on_with_its_number_and_code(void **state) {
    int64_t one;
    int64_t two;

    (void)state;
    connect_it();
    one = session_get(s, "/a", false);
    two = session_get(s, "/b", false);
    assert_true(one > 0);
    assert_true(two > one);
    fake_reply(flying(0), SESSION_OK);
    fake_reply(flying(1), SESSION_NO_NODE);
    assert_reply_news(one, SESSION_OK);
    assert_reply_news(two, SESSION_NO_NODE);
    assert_no_news();
    assert_int_equal(session_pending(s), 0);
}

static void
has_no_more_in_flight_than_it_may_and_keeps_the_order(void **state) {
    int64_t numbers[20];

    (void)state;
    connect_it();
    for (int i = 0; i < 20; i++)
        numbers[i] = session_get(s, "/a", false);
    assert_int_equal(session_pending(s), 20);
    for (int i = 0; i < 20; i++) {
        assert_true(handle_in_flight(fake_handle()) <= IN_FLIGHT);
        fake_reply(flying(0), SESSION_OK);
        assert_reply_news(numbers[i], SESSION_OK);
    }
    assert_int_equal(session_pending(s), 0);
    assert_no_news();
}

/* Opens the session that may have 64 requests with its server, connects it, and
 * answers as many reads as make the window that large. */
static void widen(void) {
    struct session_options options = {.hosts = "10.0.0.1:2181"};

    session_close(s);
    s = session_open(queue, NULL, &options, NULL);
    connect_it();
    for (int i = 0; i < 100; i++) {
        session_get(s, "/a", false);
        fake_reply(flying(0), SESSION_OK);
        ignore_news();
    }
    assert_int_equal(session_room(s), 64);
}

/* A thousand sessions that read everything at once kept the server so busy
 * that sessions ended. */
static void asks_for_less_at_once_where_reads_take_long(void **state) {
    (void)state;
    widen();
    session_exists(s, "/a", false);
    assert_int_equal(session_room(s), 63);
    fake_clock_pass_ms(500);
    fake_reply(flying(0), SESSION_OK);
    ignore_news();
    assert_int_equal(session_room(s), 32);
    for (int i = 0; i < 100; i++)
        session_get_children(s, "/a", false);
    assert_int_equal(session_room(s), 0);
    assert_int_equal(handle_in_flight(fake_handle()), 32);
    fake_clock_pass_ms(500);
    fake_reply(flying(0), SESSION_OK);
    ignore_news();
    assert_int_equal(handle_in_flight(fake_handle()), 31);
}

static void takes_a_slow_write_for_no_busy_server(void **state) {
    (void)state;
    widen();
    session_set(s, "/a", "", 0, -1);
    session_create(s, "/a", "", 0, 0);
    session_delete(s, "/a", -1);
    session_sync(s, "/a");
    fake_clock_pass_ms(2000);
    for (int i = 0; i < 4; i++)
        fake_reply(flying(i), SESSION_OK);
    ignore_news();
    assert_int_equal(session_room(s), 64);
}

/* A nerve that registers many services again beside a slow disk asked for one
 * thing at a time. */
static void takes_a_read_behind_a_slow_write_for_no_busy_server(void **state) {
    (void)state;
    widen();
    session_create(s, "/a", "", 0, 0);
    session_get(s, "/a", false);
    fake_clock_pass_ms(500);
    fake_reply(flying(0), SESSION_OK);
    fake_reply(flying(1), SESSION_OK);
    ignore_news();
    assert_int_equal(session_room(s), 64);
    session_get(s, "/a", false);
    fake_clock_pass_ms(500);
    fake_reply(flying(0), SESSION_OK);
    ignore_news();
    assert_int_equal(session_room(s), 32);
}

static void
has_no_room_without_a_connection_and_a_new_window_with_one(void **state) {
    (void)state;
    widen();
    session_get(s, "/a", false);
    fake_lose(fake_handle());
    ignore_news();
    assert_int_equal(session_room(s), 0);
    connect_it();
    assert_int_equal(session_room(s), 8);
}

static void answers_what_the_library_refuses_with_its_code(void **state) {
    int64_t number;

    (void)state;
    connect_it();
    fake_send_code = SESSION_BAD_ARGUMENTS;
    number = session_get(s, "not a path", false);
    assert_true(number > 0);
    assert_reply_news(number, SESSION_BAD_ARGUMENTS);
    assert_int_equal(session_pending(s), 0);
}

static void
answers_all_requests_once_as_lost_with_the_connection(void **state) {
    int64_t numbers[6];

    (void)state;
    connect_it();
    for (int i = 0; i < 6; i++)
        numbers[i] = session_get(s, "/a", false);
    fake_lose(fake_handle());
    assert_state_news(SESSION_CONNECTING, LINK_NONE);
    for (int i = 0; i < 6; i++)
        assert_reply_news(numbers[i], SESSION_LOST);
    assert_no_news();
    assert_int_equal(session_pending(s), 0);
}

static void answers_requests_in_flight_once_when_the_handle_goes(void **state) {
    int64_t numbers[6];

    (void)state;
    connect_it();
    for (int i = 0; i < 6; i++)
        numbers[i] = session_get(s, "/a", false);
    fake_die(fake_handle(), SESSION_EXPIRED);
    assert_state_news(SESSION_EXPIRED, LINK_NONE);
    for (int i = 0; i < 6; i++)
        assert_reply_news(numbers[i], SESSION_LOST);
    assert_no_news();
    assert_int_equal(session_pending(s), 0);
}

/* The answer was in the queue already, behind the end of its handle. */
static void drops_what_a_replaced_handle_still_says(void **state) {
    int64_t number;

    (void)state;
    connect_it();
    number = session_get(s, "/a", false);
    fake_die(fake_handle(), SESSION_EXPIRED);
    fake_reply(flying(0), SESSION_OK);
    fake_push(&fake_handles[0], event_new(EVENT_WATCH));
    fake_say(&fake_handles[0], SESSION_CONNECTED);
    assert_state_news(SESSION_EXPIRED, LINK_NONE);
    assert_reply_news(number, SESSION_LOST);
    assert_no_news();
    assert_int_equal(session_state(s), SESSION_EXPIRED);
}

static void passes_watches_of_its_handle_on(void **state) {
    struct event *ev;

    (void)state;
    connect_it();
    fake_push(fake_handle(), event_new(EVENT_WATCH));
    ev = news();
    assert_int_equal(ev->type, EVENT_WATCH);
    event_free(ev);
}

/* The events of a request are made before it is sent. */
static void dates_a_lost_reply_when_it_was_lost(void **state) {
    struct event *ev;

    (void)state;
    connect_it();
    session_get(s, "/a", false);
    fake_clock_pass_ms(5000);
    fake_die(fake_handle(), SESSION_EXPIRED);
    assert_state_news(SESSION_EXPIRED, LINK_NONE);
    ev = news();
    assert_int_equal(ev->time_us, clock_us());
    event_free(ev);
}

/* ---- credentials */

static void gives_credentials_to_each_new_handle_before_the_sync(void **state) {
    (void)state;
    assert_int_equal(session_add_auth(s, "digest", "me:secret", 9), 0);
    for (int handle = 1; handle <= 2; handle++) {
        fake_connect(fake_handle());
        ignore_news();
        assert_int_equal(flying(0)->op, OP_ADD_AUTH);
        assert_string_equal(flying(0)->path, "digest");
        assert_string_equal(flying(0)->data, "me:secret");
        assert_int_equal(flying(1)->op, OP_SYNC);
        assert_null(flying(2));
        fake_die(fake_handle(), SESSION_EXPIRED);
        ignore_news();
    }
}

static void leaves_it_to_the_library_to_repeat_credentials(void **state) {
    (void)state;
    session_add_auth(s, "digest", "me:secret", 9);
    connect_it();
    fake_lose(fake_handle());
    fake_connect(fake_handle());
    ignore_news();
    assert_int_equal(flying(0)->op, OP_SYNC);
    assert_null(flying(1));
}

static void sends_credentials_at_once_when_it_is_connected(void **state) {
    int64_t number;

    (void)state;
    connect_it();
    number = session_add_auth(s, "digest", "me:secret", 9);
    assert_true(number > 0);
    assert_int_equal(flying(0)->op, OP_ADD_AUTH);
    fake_reply(flying(0), SESSION_OK);
    assert_reply_news(number, SESSION_OK);
    /* The library repeats them. */
    fake_lose(fake_handle());
    fake_connect(fake_handle());
    ignore_news();
    assert_int_equal(flying(0)->op, OP_SYNC);
    assert_null(flying(1));
}

/* They waited behind what was in flight. A connection that was lost then came
 * back without them, for the library had not been given them. */
static void sends_credentials_past_what_waits(void **state) {
    (void)state;
    connect_it();
    for (int i = 0; i <= IN_FLIGHT; i++)
        session_get(s, "/", false);
    assert_true(session_add_auth(s, "digest", "me:secret", 9) > 0);
    assert_int_equal(flying(IN_FLIGHT)->op, OP_ADD_AUTH);
    assert_null(flying(IN_FLIGHT + 1));
}

/* They were kept for the next handle only, so the connection that came back
 * worked without them. */
static void sends_credentials_that_came_while_it_was_away(void **state) {
    (void)state;
    connect_it();
    fake_lose(fake_handle());
    ignore_news();
    assert_int_equal(session_add_auth(s, "digest", "me:secret", 9), 0);
    fake_connect(fake_handle());
    ignore_news();
    assert_int_equal(flying(0)->op, OP_ADD_AUTH);
    assert_int_equal(flying(1)->op, OP_SYNC);
}

/* They were marked as given when the library had refused them: the connection
 * that came back worked without them, until the handle was replaced. */
static void gives_credentials_again_that_the_library_refused(void **state) {
    (void)state;
    session_add_auth(s, "digest", "me:secret", 9);
    fake_send_code = SESSION_INVALID_STATE;
    fake_connect(fake_handle());
    ignore_news();
    assert_null(flying(0));
    fake_send_code = 0;
    fake_lose(fake_handle());
    fake_connect(fake_handle());
    ignore_news();
    assert_int_equal(flying(0)->op, OP_ADD_AUTH);
    assert_int_equal(flying(1)->op, OP_SYNC);
}

/* ---- where no handle can be opened */

static void fails_to_open_for_other_reasons_than_threads(void **state) {
    struct session_options options = {.hosts = "bad"};
    struct error err = {.text = ""};

    (void)state;
    fake_open_error = EINVAL;
    assert_null(session_open(queue, NULL, &options, &err));
    assert_string_equal(err.text, "bad: Invalid argument");
}

static void says_that_threads_cannot_be_made_and_tries_again(void **state) {
    (void)state;
    session_close(s);
    fake_open_error = EAGAIN;
    open_session("10.0.0.1:2181");
    assert_non_null(s);
    assert_state_news(SESSION_NO_THREADS, LINK_NONE);
    pass(5000);
    assert_no_news();
    assert_int_equal(fake_handles_made, 1);
    fake_open_error = 0;
    pass(5000);
    assert_int_equal(fake_handles_made, 2);
    assert_int_equal(session_state(s), SESSION_CONNECTING);
    fake_connect(fake_handle());
    assert_state_news(SESSION_CONNECTED, LINK_NEW_SESSION);
}

static void tries_later_and_later_but_once_a_minute(void **state) {
    static const int64_t waits_ms[] = {1000,  2000,  4000,  8000,
                                       16000, 32000, 60000, 60000};

    (void)state;
    session_close(s);
    fake_open_error = EAGAIN;
    open_session("10.0.0.1:2181");
    for (size_t i = 0; i < 8; i++) {
        fake_clock_pass_ms(waits_ms[i] - 1);
        session_tick(s);
        assert_int_equal(fake_opens_failed, i + 1);
        fake_clock_pass_ms(1);
        session_tick(s);
        assert_int_equal(fake_opens_failed, i + 2);
    }
    /* And soon again, once it was open. */
    fake_open_error = 0;
    pass(60000);
    connect_it();
    fake_open_error = EAGAIN;
    fake_opens_failed = 0;
    fake_die(fake_handle(), SESSION_EXPIRED);
    ignore_news();
    assert_int_equal(fake_opens_failed, 1);
    fake_clock_pass_ms(999);
    session_tick(s);
    assert_int_equal(fake_opens_failed, 1);
    fake_clock_pass_ms(1);
    session_tick(s);
    assert_int_equal(fake_opens_failed, 2);
}

/* ---- the end */

static void closes_its_handle_and_forgets_its_requests(void **state) {
    (void)state;
    connect_it();
    for (int i = 0; i < 10; i++)
        session_get(s, "/a", false);
    session_close(s);
    s = NULL;
    assert_true(fake_handle()->closed);
    assert_true(fake_handle()->connected_when_closed);
    assert_null(queue_pop(queue));
}

static void has_a_word_for_each_state(void **state) {
    static const char *const words[] = {"connecting",  "connected",
                                        "unknown",     "expired",
                                        "auth_failed", "no_threads"};

    (void)state;
    for (int i = 0; i <= SESSION_NO_THREADS; i++)
        assert_string_equal(session_state_name((enum session_state)i),
                            words[i]);
}

#define T(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(opens_a_handle_at_once_for_a_new_session),
        T(gives_the_library_addresses_without_brackets),
        T(resumes_a_session_of_another_process),
        T(opens_a_new_session_where_the_resumed_one_has_ended),
        T(reports_a_new_session_when_it_is_first_connected),
        T(sends_a_sync_before_anything_else_and_keeps_it_to_itself),
        T(knows_the_same_handle_again),
        T(is_patient_for_one_session_timeout),
        T(replaces_a_silent_handle_and_resumes_the_session),
        T(waits_for_the_timeout_that_the_server_gave),
        T(says_unknown_once_and_replaces_the_handle_each_timeout),
        T(says_unknown_when_no_server_ever_answers),
        T(begins_with_another_server_on_each_handle),
        T(never_abandons_a_connected_handle),
        T(notices_a_connection_whose_event_was_lost),
        T(reports_a_connection_once_that_is_read_late),
        T(gives_other_hosts_at_once_to_a_handle_that_is_away),
        T(gives_other_hosts_to_a_connected_handle_when_it_is_lost),
        T(a_new_session_has_a_timeout_of_its_own),
        T(replaces_a_handle_that_keeps_losing_its_connection),
        T(keeps_a_handle_that_loses_its_connection_now_and_then),
        T(waits_longer_and_longer_where_requests_are_refused),
        T(waits_longer_and_longer_where_no_server_lets_it_in),
        T(waits_shortly_again_after_an_answer),
        T(tries_other_hosts_at_once_that_it_gets_in_a_pause),
        T(waits_also_with_other_hosts_where_it_is_refused),
        T(counts_the_rounds_since_it_was_connected),
        T(says_unknown_in_time_where_no_server_lets_it_in),
        T(waits_where_connections_end_without_an_answer),
        T(opens_a_new_session_at_once_when_it_expired),
        T(opens_a_new_session_at_once_also_after_an_outage),
        T(opens_one_session_a_second_where_they_all_expire),
        T(waits_a_minute_after_wrong_credentials),
        T(refuses_requests_while_it_is_not_connected),
        T(sends_each_kind_of_request_as_it_was_asked),
        T(sends_a_delete_with_its_version),
        T(passes_a_reply_on_with_its_number_and_code),
        T(has_no_more_in_flight_than_it_may_and_keeps_the_order),
        T(asks_for_less_at_once_where_reads_take_long),
        T(takes_a_slow_write_for_no_busy_server),
        T(takes_a_read_behind_a_slow_write_for_no_busy_server),
        T(has_no_room_without_a_connection_and_a_new_window_with_one),
        T(answers_what_the_library_refuses_with_its_code),
        T(answers_all_requests_once_as_lost_with_the_connection),
        T(answers_requests_in_flight_once_when_the_handle_goes),
        T(drops_what_a_replaced_handle_still_says),
        T(passes_watches_of_its_handle_on),
        T(dates_a_lost_reply_when_it_was_lost),
        T(gives_credentials_to_each_new_handle_before_the_sync),
        T(leaves_it_to_the_library_to_repeat_credentials),
        T(sends_credentials_at_once_when_it_is_connected),
        T(sends_credentials_past_what_waits),
        T(sends_credentials_that_came_while_it_was_away),
        T(gives_credentials_again_that_the_library_refused),
        T(fails_to_open_for_other_reasons_than_threads),
        T(says_that_threads_cannot_be_made_and_tries_again),
        T(tries_later_and_later_but_once_a_minute),
        T(closes_its_handle_and_forgets_its_requests),
        T(has_a_word_for_each_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
