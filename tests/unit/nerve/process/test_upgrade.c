/* test_upgrade.c - tests of nerve/process/upgrade.c
 *
 * The new binary is this process: a test is what execvp() runs. Where it
 * returns, exec failed.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "nerve/config/read.h"
#include "nerve/process/handover.h"
#include "nerve/process/systemd.h"
#include "nerve/process/upgrade.h"
#include "nerve/services/hold.h"
#include "nerve/services/schedule.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"
#include "nerve/signals.h"
#include "tests/fake/fake_check.c"
#include "tests/fake/fake_child.c"
#include "tests/fake/fake_log.c"
#include "tests/fake/fake_register.c"

static int flushed, ready, closed_from;

int log_flush(struct log *l, int timeout_ms) {
    (void)l;
    assert_in_range(timeout_ms, 1, 1000);
    flushed++;
    return 0;
}

void notify_ready(void) { ready++; }

/* It would close the tests' own, too. */
void closefrom(int lowest) { closed_from = lowest; }

/* Tells whether the lines but those of debugging are exactly <lines>: a check
 * of a test may take longer than its interval, which the watcher notes. */
static bool log_is(const char *lines) {
    char *debug, *end;

    while ((debug = strstr(fake_log_text, "debug "))) {
        end = strchr(debug, '\n');
        memmove(debug, end + 1, strlen(end + 1) + 1);
    }
    return fake_log_is(lines);
}

static int memfd_error; /* of the next ones, or 0 */

int memfd_create(const char *name, unsigned int flags) {
    errno = memfd_error;
    return memfd_error ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}

/* What the new binary found. */
static struct found {
    int times;
    char program[100];
    struct rlimit descriptors;
    bool signals_are_held;
    int fd;
    struct handover *from;
} found;

static bool signals_are_held(void) {
    sigset_t set;

    pthread_sigmask(SIG_SETMASK, NULL, &set);
    return sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGUSR2) == 1;
}

int execvp(const char *file, char *const argv[]) {
    struct error err = {0};
    const char *number = getenv("NERVE_HANDOVER");

    assert_string_equal(file, argv[0]);
    assert_non_null(number);
    found.times++;
    found.fd = atoi(number);
    assert_int_equal(fcntl(found.fd, F_GETFD), 0); /* exec leaves it open */
    snprintf(found.program, sizeof(found.program), "%s", file);
    getrlimit(RLIMIT_NOFILE, &found.descriptors);
    found.signals_are_held = signals_are_held();
    handover_free(found.from);
    found.from = upgrade_receive(&err);
    assert_string_equal(err.text, "");
    assert_non_null(found.from);
    setenv("NERVE_HANDOVER", number, 1);
    errno = ENOEXEC;
    return -1;
}

static uv_loop_t loop;
static struct services *services, *other; /* of the new binary, or NULL */
static struct holds holds;
static struct rlimit descriptors, before;
static struct upgrade u;

static struct services *new_services(void) {
    static struct lateness late;
    struct services_env env = {.check = {.loop = &loop, .late = &late},
                               .holds = &holds};

    late.quiet_until_ms = UINT64_MAX;
    return services_new(&env);
}

static void apply(struct services *to) {
    static const char text[] =
        "{\"instance_id\": \"i\", \"services\": {\"web\": {\"host\": "
        "\"127.0.0.1\", \"port\": 80, \"zk_path\": \"/web\", \"zk_hosts\": "
        "[\"zk1:2181\"], \"check_interval\": 0.01, \"checks\": [{\"type\": "
        "\"noop\"}]}}}";
    struct error err = {0};
    struct config *config = config_parse(text, strlen(text), NULL, NULL, &err);

    assert_string_equal(err.text, "");
    assert_int_equal(services_apply(to, config, true), 0);
    config_free(config);
}

static int begin(void **state) {
    static char program[] = "/bin/nerve", option[] = "-c", file[] = "n.json";
    static char *argv[] = {program, option, file, NULL};

    (void)state;
    story[0] = fake_ran[0] = '\0';
    fake_running = NULL;
    fake_killed = fake_start_error = 0;
    fake_programs = 0;
    flushed = ready = closed_from = 0;
    found = (struct found){0};
    getrlimit(RLIMIT_NOFILE, &before);
    descriptors = (struct rlimit){before.rlim_cur - 1, before.rlim_max};
    if (uv_loop_init(&loop) != 0)
        return -1;
    services = new_services();
    u = (struct upgrade){.loop = &loop,
                         .services = services,
                         .descriptors = &descriptors,
                         .argv = argv};
    upgrade_open(&u);
    apply(services);
    story[0] = '\0';
    fake_log_clear();
    return services ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    upgrade_close(&u);
    services_close(services);
    if (other)
        services_close(other);
    uv_run(&loop, UV_RUN_DEFAULT);
    services_free(services);
    services_free(other);
    other = NULL;
    handover_free(found.from);
    return uv_loop_close(&loop);
}

/* Lets the loop turn until the new binary was executed so often. */
static void run_until_executed(int times) {
    while (found.times < times)
        uv_run(&loop, UV_RUN_ONCE);
}

static void run_check(void) {
    while (!fake_running)
        uv_run(&loop, UV_RUN_ONCE);
}

static void asks_the_new_binary_about_the_configuration_first(void **state) {
    (void)state;
    upgrade_start(&u);
    assert_string_equal(fake_command, "/bin/nerve -c n.json -k");
    assert_int_equal(found.times, 0);
    fake_child_ends(0, 0);
    run_until_executed(1);
    assert_string_equal(found.program, "/bin/nerve");
}

static void is_refused_by_a_binary_that_refuses(void **state) {
    (void)state;
    upgrade_start(&u);
    fake_child_ends(0, 1);
    assert_true(log_is("error not upgraded, nothing is changed: "
                       "/bin/nerve: /bin/nerve ended with 1\n"));
    assert_false(u.under_way);
    assert_int_equal(ready, 1); /* the service manager was told otherwise */
    upgrade_start(&u);
    fake_child_ends(ENOENT, 0);
    assert_true(log_is("error not upgraded, nothing is changed: "
                       "/bin/nerve: /bin/nerve ended with 0\n"));
    assert_int_equal(found.times, 0);
}

static void is_refused_where_the_new_binary_cannot_be_run(void **state) {
    (void)state;
    fake_start_error = EAGAIN;
    upgrade_start(&u);
    assert_true(log_is("error not upgraded, nothing is changed: "
                       "/bin/nerve: Resource temporarily unavailable\n"));
    assert_false(u.under_way);
    assert_false(uv_is_active((uv_handle_t *)&u.timer));
}

/* Its time passes at once. The timer fires once, as nerve's does: libuv runs
 * timers twice in a turn, and would fire one that repeats a second time. */
static void pass_time(void) {
    uv_timer_set_repeat(&u.timer, 1);
    uv_timer_again(&u.timer);
    uv_timer_set_repeat(&u.timer, 0);
    while (u.under_way)
        uv_run(&loop, UV_RUN_ONCE);
}

static void waits_ten_seconds_for_the_answer(void **state) {
    (void)state;
    upgrade_start(&u);
    assert_in_range(uv_timer_get_due_in(&u.timer), 9000, 10000);
    pass_time();
    assert_int_equal(fake_killed, 1);
    assert_true(log_is("error not upgraded, nothing is changed: "
                       "/bin/nerve: no answer to -k within 10 s\n"));
}

static void is_one_at_a_time(void **state) {
    (void)state;
    upgrade_start(&u);
    fake_command[0] = '\0';
    upgrade_start(&u);
    assert_string_equal(fake_command, "");
    fake_child_ends(0, 1);
    upgrade_start(&u);
    assert_string_equal(fake_command, "/bin/nerve -c n.json -k");
}

static void can_be_stopped(void **state) {
    (void)state;
    upgrade_start(&u);
    upgrade_stop(&u);
    assert_int_equal(fake_killed, 1);
    assert_false(u.under_way);
    assert_false(uv_is_active((uv_handle_t *)&u.timer));
    upgrade_stop(&u);
    assert_int_equal(fake_killed, 1);
    assert_true(log_is(""));
}

/* Nobody in the new process could wait for them. */
static void leaves_no_check_running(void **state) {
    (void)state;
    run_check();
    fake_programs = 1;
    upgrade_start(&u);
    fake_child_ends(0, 0);
    u.give_up_ms = UINT64_MAX; /* however slow this machine is */
    while (!u.holds_signals)
        uv_run(&loop, UV_RUN_ONCE);
    assert_null(fake_running);
    assert_true(signals_are_held());
    fake_ran[0] = '\0';
    uv_run(&loop, UV_RUN_ONCE);
    assert_string_equal(fake_ran, "");
    assert_int_equal(found.times, 0);
    fake_programs = 0;
    run_until_executed(1);
}

static void gives_up_when_a_program_does_not_end(void **state) {
    (void)state;
    fake_programs = 1;
    upgrade_start(&u);
    fake_child_ends(0, 0);
    assert_in_range(u.give_up_ms, uv_now(&loop) + 900, uv_now(&loop) + 1000);
    u.give_up_ms = UINT64_MAX; /* however slow this machine is */
    while (!u.holds_signals)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(u.under_way);
    u.give_up_ms = 0;
    while (u.under_way)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(log_is(
        "error not upgraded, nothing is changed: exec checks: a program does "
        "not end though it is killed\n"));
    assert_false(signals_are_held());
    run_check(); /* they go on */
    assert_int_equal(found.times, 0);
}

static void gives_the_new_binary_what_nerve_started_with(void **state) {
    (void)state;
    upgrade_start(&u);
    fake_child_ends(0, 0);
    run_until_executed(1);
    assert_true(found.signals_are_held);
    assert_int_equal(found.descriptors.rlim_cur, descriptors.rlim_cur);
    assert_int_equal(flushed, 1);
    assert_int_equal(closed_from, 3);
}

static void changes_nothing_when_exec_fails(void **state) {
    struct rlimit now;

    (void)state;
    upgrade_start(&u);
    fake_child_ends(0, 0);
    run_until_executed(1);
    assert_true(log_is(
        "info SIGUSR2: /bin/nerve takes over\n"
        "error not upgraded, nothing is changed: /bin/nerve: Exec format "
        "error\n"));
    getrlimit(RLIMIT_NOFILE, &now);
    assert_int_equal(now.rlim_cur, before.rlim_cur);
    assert_null(getenv("NERVE_HANDOVER"));
    assert_int_equal(fcntl(found.fd, F_GETFD), -1);
    assert_false(signals_are_held());
    assert_false(u.under_way);
    run_check();
    upgrade_start(&u);
    fake_child_ends(0, 0);
    run_until_executed(2);
}

static void changes_nothing_where_the_state_cannot_be_written(void **state) {
    (void)state;
    memfd_error = EMFILE;
    upgrade_start(&u);
    fake_child_ends(0, 0);
    while (u.under_way)
        uv_run(&loop, UV_RUN_ONCE);
    memfd_error = 0;
    assert_true(log_is("error not upgraded, nothing is changed: memfd: "
                       "Too many open files\n"));
    assert_int_equal(found.times, 0);
    assert_null(getenv("NERVE_HANDOVER"));
    assert_false(signals_are_held());
    run_check();
}

static void hands_over_sessions_services_and_holds(void **state) {
    struct reporter *r = services_at(services, 0)->reporter;
    const struct service *web;

    (void)state;
    other = new_services();
    r->told = true;
    r->znode.path = strdup("/web/i_0000000001");
    run_check();
    fake_result(CHECK_PASSED, NULL);
    upgrade_start(&u);
    fake_child_ends(0, 0);
    run_until_executed(1);
    free(r->znode.path);
    story[0] = '\0';
    assert_int_equal(upgrade_restore(other, found.from), 0);
    assert_story("resume zk1:2181\ngo on, told /web\n");
    assert_int_equal(other->ensemble_count, 1);
    web = services_at(other, 0);
    assert_null(services_at(other, 1));
    assert_string_equal(web->config->name, "web");
    assert_string_equal(web->reporter->znode.path, "/web/i_0000000001");
    assert_non_null(web->before);
    assert_int_equal(web->before->state, HEALTH_UP);
    free(web->reporter->znode.path);
    assert_false(service_is_leaving(web));
}

/* It is upgraded again before its checks have begun. */
static void hands_over_what_it_was_given_and_has_not_used(void **state) {
    (void)state;
    other = new_services();
    run_check();
    fake_result(CHECK_PASSED, NULL);
    upgrade_start(&u);
    fake_child_ends(0, 0);
    run_until_executed(1);
    assert_int_equal(upgrade_restore(other, found.from), 0);
    u.services = other;
    upgrade_start(&u);
    fake_child_ends(0, 0);
    run_until_executed(2);
    assert_int_equal(found.from->service_count, 1);
    assert_int_equal(found.from->services[0].standing.state, HEALTH_UP);
    assert_false(found.from->services[0].leaving);
}

static void hands_over_no_session_where_there_is_none(void **state) {
    (void)state;
    no_session = true;
    upgrade_start(&u);
    fake_child_ends(0, 0);
    run_until_executed(1);
    no_session = false;
    assert_int_equal(found.from->session_count, 0);
    assert_int_equal(found.from->service_count, 1);
}

static void nothing_is_received_where_nothing_was_handed_over(void **state) {
    struct error err = {0};

    (void)state;
    unsetenv("NERVE_HANDOVER");
    closed_from = -1;
    assert_null(upgrade_receive(&err));
    assert_string_equal(err.text, "");
    assert_int_equal(closed_from, -1);
}

/* Returns what upgrade_receive() says of a descriptor. */
static const char *error_of(int fd) {
    static struct error err;
    char number[16];

    err = (struct error){0};
    snprintf(number, sizeof(number), "%d", fd);
    setenv("NERVE_HANDOVER", number, 1);
    assert_null(upgrade_receive(&err));
    assert_null(getenv("NERVE_HANDOVER"));
    return err.text;
}

static void what_cannot_be_read_is_said(void **state) {
    static const char unread[] = "what was handed over cannot be read";
    int fd = memfd_create("test", MFD_CLOEXEC), ends[2];

    (void)state;
    assert_string_equal(error_of(9999), unread);
    assert_string_equal(error_of(fd), unread); /* empty */
    assert_int_equal(ftruncate(fd, (64 << 20) + 1), 0);
    assert_string_equal(error_of(fd), unread);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(write(fd, "{", 1), 1);
    assert_string_not_equal(error_of(fd), "");
    assert_string_not_equal(error_of(fd), unread);
    close(fd);
    assert_int_equal(pipe(ends), 0);
    assert_string_equal(error_of(ends[0]), unread);
    close(ends[0]);
    close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(asks_the_new_binary_about_the_configuration_first),
        TEST(is_refused_by_a_binary_that_refuses),
        TEST(is_refused_where_the_new_binary_cannot_be_run),
        TEST(waits_ten_seconds_for_the_answer),
        TEST(is_one_at_a_time),
        TEST(can_be_stopped),
        TEST(leaves_no_check_running),
        TEST(gives_up_when_a_program_does_not_end),
        TEST(gives_the_new_binary_what_nerve_started_with),
        TEST(changes_nothing_when_exec_fails),
        TEST(changes_nothing_where_the_state_cannot_be_written),
        TEST(hands_over_sessions_services_and_holds),
        TEST(hands_over_what_it_was_given_and_has_not_used),
        TEST(hands_over_no_session_where_there_is_none),
        TEST(nothing_is_received_where_nothing_was_handed_over),
        TEST(what_cannot_be_read_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
