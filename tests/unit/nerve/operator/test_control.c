/* test_control.c - tests of nerve/operator/control.c, over a socket of their
 * own
 *
 * What is known of the one service, and whether ZooKeeper has confirmed it, is
 * given.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/clock.h"
#include "csrc/base/error.h"
#include "csrc/zookeeper/session.h"
#include "nerve/config/model.h"
#include "nerve/operator/command.h"
#include "nerve/operator/control.h"
#include "nerve/operator/holds.h"
#include "nerve/operator/socket.h"
#include "nerve/operator/status.h"
#include "nerve/register/reporter.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"
#include "tests/fake/fake_log.c"

#define DEADLINE_US 60000000

static char name[] = "web";
static struct service_config config = {.name = name};
static struct service web = {.config = &config};
static char other_name[] = "wed";
static struct service_config other_config = {.name = other_name};
static struct service other = {.config = &other_config};
static bool settled, connected, registered;
static int holds_used;

const struct service *services_at(const struct services *r, size_t index) {
    (void)r;
    if (index == 1 && other.watcher)
        return &other;
    return index == 0 ? &web : NULL;
}

void services_use_holds(struct services *r) {
    (void)r;
    holds_used++;
}

bool reporter_is_settled(const struct reporter *r) {
    (void)r;
    return settled;
}

bool reporter_is_connected(const struct reporter *r) {
    (void)r;
    return connected;
}

const char *reporter_path(const struct reporter *r) {
    (void)r;
    return registered ? "/web/i" : NULL;
}

const char *service_trouble(const struct service *s) {
    (void)s;
    return NULL;
}

enum health_state watcher_state(const struct watcher *w) {
    (void)w;
    return registered ? HEALTH_UP : HEALTH_DOWN;
}

/* What the service has said, in a line. */
static char heard[120];

void watcher_hear(struct watcher *w, enum push_word word, const char *reason) {
    (void)w;
    snprintf(heard, sizeof(heard), "%s %s", word == PUSH_PASS ? "pass" : "fail",
             reason ? reason : "-");
}

json_t *status_json(const struct services *r, const struct holds *holds) {
    (void)r;
    return json_pack("{s:i}", "holds", (int)holds->count);
}

json_t *status_dump(const struct services *r, const struct holds *holds) {
    (void)r;
    (void)holds;
    return json_string("all of it");
}

static char directory[] = "/tmp/nerve-control-XXXXXX";
static char path[60], other_path[60];
static uv_loop_t loop;
static struct holds_file store;
static struct control *control;

static int descriptors; /* that were open before a test */

static int count_descriptors(void) {
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

/* libuv opens some with the first loop, and keeps them. */
static int try_loop(void **state) {
    (void)state;
    return uv_loop_init(&loop) == 0 ? uv_loop_close(&loop) : -1;
}

static int begin(void **state) {
    static int watched;
    struct control_env env = {.loop = &loop, .store = &store};

    (void)state;
    descriptors = count_descriptors();
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (!mkdtemp(directory) || uv_loop_init(&loop) != 0)
        return -1;
    snprintf(path, sizeof(path), "%s/socket", directory);
    snprintf(other_path, sizeof(other_path), "%s/other", directory);
    settled = connected = registered = true;
    holds_used = 0;
    web.watcher = (struct watcher *)&watched;
    other.watcher = NULL;
    memset(&store, 0, sizeof(store));
    fake_log_clear();
    control = control_new(&env);
    return control && control_begin(control, path, NULL, NULL, NULL) == 0 ? 0
                                                                          : -1;
}

/* The socket goes with the one that listens; the file of its lock stays. */
static int end(void **state) {
    char lock[80];

    (void)state;
    control_close(control);
    uv_run(&loop, UV_RUN_DEFAULT);
    holds_file_close(&store);
    assert_int_equal(access(path, F_OK), -1);
    snprintf(lock, sizeof(lock), "%s.lock", path);
    unlink(lock);
    snprintf(lock, sizeof(lock), "%s.lock", other_path);
    unlink(lock);
    if (uv_loop_close(&loop) != 0)
        return -1;
    assert_int_equal(count_descriptors(), descriptors);
    return rmdir(directory);
}

static int ask(const char *request) {
    int fd = control_socket_connect(path, NULL);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    return fd;
}

/* Lets the loop turn <times>; it does so at least every 50 ms. */
static void turn(int times) {
    while (times-- > 0)
        uv_run(&loop, UV_RUN_ONCE);
}

/* Tells whether there is no answer on <fd> yet. */
static bool is_unanswered(int fd) {
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK) == -1 && errno == EAGAIN;
}

/* Returns the whole answer, owned by the caller, which the end of the
 * connection follows. */
static json_t *answer(int fd) {
    int64_t end_us = clock_us() + DEADLINE_US;
    char text[4096];
    size_t length = 0;
    ssize_t count;
    json_t *json;

    while ((count = read(fd, text + length, sizeof(text) - length)) != 0) {
        assert_true(count > 0 || errno == EAGAIN);
        assert_true(clock_us() < end_us);
        if (count > 0)
            length += (size_t)count;
        else
            uv_run(&loop, UV_RUN_ONCE);
    }
    close(fd);
    json = json_loadb(text, length, 0, NULL);
    assert_non_null(json);
    return json;
}

/* What is answered to <request>, as "result: message". */
static const char *told(int fd) {
    static char text[700];
    json_t *json = answer(fd);
    const char *message = json_string_value(json_object_get(json, "message"));

    snprintf(text, sizeof(text), "%s%s%s",
             json_string_value(json_object_get(json, "result")),
             message ? ": " : "", message ? message : "");
    json_decref(json);
    return text;
}

static void assert_begins(const char *text, const char *with) {
    assert_int_equal(strncmp(text, with, strlen(with)), 0);
}

static const char *me(void) {
    const struct passwd *user = getpwuid(getuid());

    return user ? user->pw_name : "?";
}

#define DISABLE                                                                \
    "{\"command\": \"disable\", \"service\": \"web\", \"reason\": \"disk\"}\n"
#define ENABLE "{\"command\": \"enable\", \"service\": \"web\"}\n"

static void status_and_dump_are_answered_at_once(void **state) {
    json_t *json = answer(ask("{\"command\": \"status\"}\n"));

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(json, "status"), "holds")),
                     0);
    json_decref(json);
    json = answer(ask("{\"command\": \"dump\"}\n"));
    assert_string_equal(json_string_value(json_object_get(json, "dump")),
                        "all of it");
    json_decref(json);
}

static void an_unknown_service_is_refused(void **state) {
    (void)state;
    assert_string_equal(
        told(ask("{\"command\": \"wait\", \"service\": \"wbe\"}\n")),
        "failed: wbe: no such service; did you mean \"web\"?");
    web.watcher = NULL;
    assert_string_equal(told(ask(DISABLE)), "failed: web: no such service");
    assert_int_equal(store.holds.count, 0);
}

static void the_nearest_name_is_meant_and_the_first_of_several(void **state) {
    (void)state;
    other.watcher = web.watcher;
    assert_string_equal(
        told(ask("{\"command\": \"enable\", \"service\": \"wex\"}\n")),
        "failed: wex: no such service; did you mean \"web\"?");
    assert_string_equal(
        told(ask("{\"command\": \"enable\", \"service\": \"weed\"}\n")),
        "failed: weed: no such service; did you mean \"wed\"?");
}

static void a_report_is_told_to_the_push_check(void **state) {
    static struct check_config push = {.kind = CHECK_PUSH, .ttl_ms = 30000};

    (void)state;
    heard[0] = '\0';
    assert_string_equal(
        told(ask("{\"command\": \"pass\", \"service\": \"web\"}\n")),
        "failed: web: it has no push check; add {\"type\": \"push\", \"ttl\": "
        "30} to its checks");
    assert_string_equal(heard, "");
    config.checks = &push;
    config.check_count = 1;
    assert_string_equal(
        told(ask("{\"command\": \"pass\", \"service\": \"web\"}\n")),
        "done: web: passed; the next report is due within 30s");
    assert_string_equal(heard, "pass -");
    assert_string_equal(
        told(ask("{\"command\": \"fail\", \"service\": \"web\", \"reason\": "
                 "\"disk full\"}\n")),
        "done: web: failed, until it is passed");
    assert_string_equal(heard, "fail disk full");
    assert_string_equal(
        told(ask("{\"command\": \"fail\", \"service\": \"web\"}\n")),
        "done: web: failed, until it is passed");
    assert_string_equal(heard, "fail -");
    assert_string_equal(
        told(ask("{\"command\": \"pass\", \"service\": \"wbe\"}\n")),
        "failed: wbe: no such service; did you mean \"web\"?");
    config.check_count = 0;
}

static void a_request_that_makes_no_sense_is_refused(void **state) {
    (void)state;
    assert_begins(told(ask("{\"command\": \"disable\"}\n")), "failed: ");
    assert_begins(told(ask("no JSON\n")), "failed: ");
}

static void a_request_that_is_too_long_is_refused(void **state) {
    static char text[CONTROL_LINE_MAX + 1];
    char wanted[100];

    (void)state;
    memset(text, ' ', sizeof(text) - 1);
    snprintf(wanted, sizeof(wanted), "failed: a request has at most %d bytes",
             CONTROL_LINE_MAX);
    assert_string_equal(told(ask(text)), wanted);
}

static void write_all(int fd, const char *text) {
    size_t length = strlen(text), done = 0;
    ssize_t count;

    while (done < length) {
        count = write(fd, text + done, length - done);
        assert_true(count > 0 || errno == EAGAIN);
        if (count > 0)
            done += (size_t)count;
        else
            turn(1);
    }
}

/* What follows it is of no interest, however long it is. */
static void a_request_may_come_in_parts(void **state) {
    static char rest[3 * CONTROL_LINE_MAX];
    int fd = ask("{\"command\": \"disable\", \"service\": ");

    (void)state;
    turn(3);
    write_all(fd, "\"web\", \"reason\": ");
    turn(3);
    settled = false;
    write_all(fd, "\"disk\"}\n");
    while (!holds_used)
        turn(1);
    memset(rest, 'x', sizeof(rest) - 1);
    write_all(fd, rest);
    settled = true;
    assert_begins(told(fd), "done: web: ");
    assert_int_equal(holds_used, 1);
}

/* An operator who drains a machine may restart it after the answer: a hold
 * that is in no file would be over. */
static void what_the_file_does_not_have_is_not_done(void **state) {
    (void)state;
    assert_non_null(store.path = strdup("/nowhere/at/all"));
    assert_string_equal(
        told(ask(DISABLE)),
        "failed: web: disabled until nerve restarts, for the file of holds "
        "cannot be written: No such file or directory");
}

/* An operator who drains a machine may end its service after the answer. */
static void disable_is_answered_when_zookeeper_has_confirmed_it(void **state) {
    const struct hold *hold;
    char line[200];
    int fd;

    (void)state;
    settled = false;
    fd = ask(DISABLE);
    while (!holds_used)
        turn(1);
    turn(5);
    assert_true(is_unanswered(fd));
    hold = holds_find(&store.holds, "web");
    assert_non_null(hold);
    assert_true(hold->out);
    assert_string_equal(hold->reason, "disk");
    assert_string_equal(hold->author, me());
    assert_int_equal(hold->until_ms, 0);
    assert_int_equal(hold->ends_ms, 0);
    snprintf(line, sizeof(line), "warning web: disabled by %s: disk\n", me());
    assert_true(fake_log_is(line));
    settled = true;
    assert_begins(told(fd), "done: web: ");
    assert_int_equal(holds_used, 1);
}

static void enable_ends_what_disable_began(void **state) {
    char line[200];

    (void)state;
    assert_begins(told(ask(DISABLE)), "done");
    fake_log_clear();
    assert_begins(told(ask(ENABLE)), "done");
    assert_int_equal(store.holds.count, 0);
    assert_int_equal(holds_used, 2);
    snprintf(line, sizeof(line), "info web: enabled by %s\n", me());
    assert_true(fake_log_is(line));
    /* There is nothing to end any more. */
    assert_begins(told(ask(ENABLE)), "done");
    assert_int_equal(holds_used, 2);
}

static void a_service_that_is_gone_can_be_enabled(void **state) {
    (void)state;
    assert_begins(told(ask(DISABLE)), "done");
    web.watcher = NULL;
    told(ask(ENABLE));
    assert_int_equal(store.holds.count, 0);
    assert_string_equal(told(ask(ENABLE)), "failed: web: no such service");
}

static void a_weight_is_for_a_service_that_is_not_disabled(void **state) {
    static const char weight[] =
        "{\"command\": \"weight\", \"service\": \"web\", \"weight\": 3}\n";
    char line[200];

    (void)state;
    assert_begins(told(ask(weight)), "done");
    assert_false(holds_find(&store.holds, "web")->out);
    assert_int_equal(holds_find(&store.holds, "web")->weight, 3);
    snprintf(line, sizeof(line), "info web: weight 3 by %s\n", me());
    assert_true(fake_log_is(line));
    assert_begins(told(ask(DISABLE)), "done");
    assert_string_equal(told(ask(weight)),
                        "failed: web: it is disabled; enable it first");
    assert_true(holds_find(&store.holds, "web")->out);
}

static void wait_is_answered_when_the_service_is_registered(void **state) {
    int fd;

    (void)state;
    registered = false;
    fd = ask("{\"command\": \"wait\", \"service\": \"web\"}\n");
    turn(5);
    assert_true(is_unanswered(fd));
    registered = true;
    assert_begins(told(fd), "done");
    registered = false;
    assert_begins(told(ask("{\"command\": \"wait\", \"service\": \"web\", "
                           "\"timeout_ms\": 1}\n")),
                  "failed");
}

/* As many as are kept waited, and for as long as they did nobody could take a
 * service out. */
static void those_that_wait_keep_nobody_out(void **state) {
    int waiting[64];

    (void)state;
    registered = false;
    for (int i = 0; i < 64; i++) {
        waiting[i] = ask("{\"command\": \"wait\", \"service\": \"web\"}\n");
        turn(1);
    }
    assert_begins(told(ask("{\"command\": \"status\"}\n")), "done");
    assert_begins(told(waiting[0]), "failed: web: gave way to a newer request");
    registered = true;
    for (int i = 1; i < 64; i++)
        assert_begins(told(waiting[i]), "done");
}

static void a_hold_ends_by_itself(void **state) {
    char line[200];

    (void)state;
    assert_begins(told(ask("{\"command\": \"disable\", \"service\": \"web\", "
                           "\"reason\": \"disk\", \"for_ms\": 3600000}\n")),
                  "done");
    assert_true(holds_find(&store.holds, "web")->until_ms >
                clock_wall_ms() + 3500000);
    assert_true(holds_find(&store.holds, "web")->ends_ms >
                clock_boot_ms() + 3500000);
    turn(3);
    assert_int_equal(store.holds.count, 1);
    store.holds.list[0].ends_ms = 1;
    fake_log_clear();
    while (store.holds.count > 0)
        turn(1);
    assert_int_equal(holds_used, 2);
    snprintf(line, sizeof(line), "info web: the hold of %s is over\n", me());
    assert_true(fake_log_is(line));
}

static void one_that_hangs_up_is_forgotten_and_its_change_stays(void **state) {
    int fd;

    (void)state;
    settled = false;
    fd = ask(DISABLE);
    while (!holds_used)
        turn(1);
    close(fd);
    turn(3);
    assert_int_equal(store.holds.count, 1);
    assert_begins(told(ask("{\"command\": \"status\"}\n")), "done");
}

static void holds_of_another_process_are_taken_over(void **state) {
    struct hold hold = {.service = strdup("web"),
                        .author = strdup("ann"),
                        .out = true,
                        .since_ms = 1};
    struct holds holds = {0};
    char *text;

    (void)state;
    assert_int_equal(holds_put(&holds, &hold), 0);
    text = holds_encode(&holds);
    assert_int_equal(control_begin(control, path, NULL, text, NULL), 0);
    assert_string_equal(holds_find(&store.holds, "web")->author, "ann");
    assert_int_equal(control_begin(control, path, NULL, "rubbish", NULL), -1);
    free(text);
    holds_close(&holds);
}

static void listens_where_it_is_told_and_nowhere_else(void **state) {
    struct error err = {0};
    char nowhere[100];

    (void)state;
    assert_int_equal(control_use(control, other_path, NULL, NULL), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(other_path, F_OK), 0);
    snprintf(nowhere, sizeof(nowhere), "%s/no/socket", directory);
    assert_int_equal(control_use(control, nowhere, NULL, &err), -1);
    assert_non_null(strstr(err.text, nowhere));
    assert_int_equal(access(other_path, F_OK), 0);
    assert_int_equal(control_use(control, NULL, NULL, NULL), 0);
    assert_int_equal(access(other_path, F_OK), -1);
}

static void a_socket_that_was_removed_is_made_again(void **state) {
    (void)state;
    unlink(path);
    assert_int_equal(control_use(control, path, NULL, NULL), 0);
    assert_begins(told(ask("{\"command\": \"status\"}\n")), "done");
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(status_and_dump_are_answered_at_once),
        TEST(an_unknown_service_is_refused),
        TEST(the_nearest_name_is_meant_and_the_first_of_several),
        TEST(a_report_is_told_to_the_push_check),
        TEST(a_request_that_makes_no_sense_is_refused),
        TEST(a_request_that_is_too_long_is_refused),
        TEST(a_request_may_come_in_parts),
        TEST(what_the_file_does_not_have_is_not_done),
        TEST(disable_is_answered_when_zookeeper_has_confirmed_it),
        TEST(enable_ends_what_disable_began),
        TEST(a_service_that_is_gone_can_be_enabled),
        TEST(a_weight_is_for_a_service_that_is_not_disabled),
        TEST(wait_is_answered_when_the_service_is_registered),
        TEST(those_that_wait_keep_nobody_out),
        TEST(a_hold_ends_by_itself),
        TEST(one_that_hangs_up_is_forgotten_and_its_change_stays),
        TEST(holds_of_another_process_are_taken_over),
        TEST(listens_where_it_is_told_and_nowhere_else),
        TEST(a_socket_that_was_removed_is_made_again),
    };

    return cmocka_run_group_tests(tests, try_loop, NULL);
}
