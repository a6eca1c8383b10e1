/* test_daemon.c - tests of nerve/daemon.c
 *
 * The parts around it only tell what they were asked. Each time nerve says that
 * it is ready, the next step of the test runs; the last one ends nerve.
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "csrc/base/event.h"
#include "csrc/base/queue.h"
#include "csrc/base/worker.h"
#include "csrc/zookeeper/session.h"
#include "nerve/config/read.h"
#include "nerve/daemon.h"
#include "nerve/observe/metrics.h"
#include "nerve/operator/control.h"
#include "nerve/operator/holds.h"
#include "nerve/options.h"
#include "nerve/process/handover.h"
#include "nerve/process/heartbeat.h"
#include "nerve/process/systemd.h"
#include "nerve/process/upgrade.h"
#include "nerve/process/watchdog.h"
#include "nerve/services/services.h"
#include "nerve/signals.h"
#include "tests/fake/fake_check.c"
#include "tests/fake/fake_log.c"
#include "tests/fake/fake_register.c"
#include "tests/fake/fake_statsd.c"

#define PATH "nerve.json" /* in a directory of its own */

#define POOL 4 /* threads of libuv */

#define STATSD ((struct statsd *)&test)

/* What a test has arranged, and what it found. */
static struct {
    void (*steps[4])(void); /* one each time that nerve is ready */
    int step, turns;
    void (*on_tick)(void); /* between two turns of the loop, or NULL */
    uint64_t later_ms;     /* than at the start */
    const char *broken;    /* the part that cannot be made */
    const char *refuses;   /* why the control socket is refused, or NULL */
    atomic_bool hangs;     /* reading waits for <go_on> */
    atomic_int reads;      /* of the configuration */
    sem_t go_on;
    bool job_done, takes_signals;
    int blocked; /* threads that wait for <go_on> */
    uv_work_t jobs[POOL];
    uint32_t write;
    int answers[2]; /* a pipe, or 0 */
    struct rlimit descriptors, raised;
    struct control_env env;
    struct queue *lines;
    uv_timer_t tick;
} test;

static bool is_broken(const char *part) {
    return test.broken && strcmp(test.broken, part) == 0;
}

static bool told(const char *what) { return strstr(story, what) != NULL; }

typedef int init_fn(uv_loop_t *loop);

int uv_loop_init(uv_loop_t *loop) {
    init_fn *real = (init_fn *)dlsym(RTLD_NEXT, "uv_loop_init");

    return is_broken("loop") ? UV_EMFILE : real(loop);
}

/* Only a process of its own may end so. */
void _exit(int status) {
    if (!test.answers[1])
        abort();
    syscall(SYS_exit_group, status);
    for (;;)
        ;
}

/* It stands still until a test sets it forward. */
uint64_t uv_now(const uv_loop_t *loop) {
    (void)loop;
    return 100000 + test.later_ms;
}

int getrlimit(__rlimit_resource_t what, struct rlimit *limit) {
    if (what != RLIMIT_NOFILE)
        return prlimit(0, what, NULL, limit);
    *limit = test.descriptors;
    return 0;
}

int setrlimit(__rlimit_resource_t what, const struct rlimit *limit) {
    if (what != RLIMIT_NOFILE)
        return prlimit(0, what, limit, NULL);
    test.raised = *limit;
    return 0;
}

int log_flush(struct log *l, int timeout_ms) {
    (void)l;
    assert_in_range(timeout_ms, 1, 1000);
    if (test.answers[1])
        dprintf(test.answers[1], "%s", fake_log_text);
    return 0;
}

void session_log_to(struct queue *queue) { test.lines = queue; }

void session_log_not_to(const struct queue *queue);
void session_log_not_to(const struct queue *queue) { (void)queue; }

struct config *__real_config_load(const char *path, const char *instance_id,
                                  struct notes *notes, struct error *err);
struct config *__wrap_config_load(const char *path, const char *instance_id,
                                  struct notes *notes, struct error *err);
struct config *__wrap_config_load(const char *path, const char *instance_id,
                                  struct notes *notes, struct error *err) {
    test.reads++;
    if (test.hangs)
        sem_wait(&test.go_on);
    return __real_config_load(path, instance_id, notes, err);
}

static void on_tick(uv_timer_t *timer) {
    (void)timer;
    if (test.on_tick)
        test.on_tick();
}

/* Calls <each> in each turn of the loop until nerve ends. */
static void in_each_turn(void (*each)(void)) { test.on_tick = each; }

/* The loop still has something to do. */
static void close_slowly(void) {
    if (told("end metrics") && ++test.turns == 50)
        uv_close((uv_handle_t *)&test.tick, NULL);
}

void notify_open(uv_loop_t *loop, uv_timer_t *timer) {
    uv_timer_init(loop, timer);
}

void notify_ready(void) {
    tell("manager:", "ready");
    if (test.step < 4 && test.steps[test.step])
        test.steps[test.step++]();
}

void notify_reloading(void) { tell("manager:", "reloading"); }

void notify_stopping(void) { tell("manager:", "stopping"); }

struct heartbeat *heartbeat_new(uv_loop_t *loop, struct log *log,
                                unsigned int interval_ms) {
    (void)loop;
    (void)log;
    assert_in_range(interval_ms, 1000, 10000);
    return is_broken("heartbeat") ? NULL : (struct heartbeat *)&test;
}

void heartbeat_use(struct heartbeat *h, char *path) {
    (void)h;
    tell("heartbeat", path ? path : "nowhere");
    free(path);
}

void heartbeat_close(struct heartbeat *h) {
    if (h)
        tell("end", "heartbeat");
}

static void tell_seconds(unsigned int seconds) {
    char text[20];

    snprintf(text, sizeof(text), "%u", seconds);
    tell("watchdog", text);
}

struct watchdog *watchdog_new(uv_loop_t *loop, struct log *log,
                              unsigned int seconds) {
    (void)loop;
    (void)log;
    tell_seconds(seconds);
    return is_broken("watchdog") ? NULL : (struct watchdog *)&test;
}

void watchdog_use(struct watchdog *w, unsigned int seconds) {
    assert_true(w || is_broken("watchdog"));
    tell_seconds(seconds);
}

void watchdog_close(struct watchdog *w) {
    if (w)
        tell("end", "watchdog");
}

struct metrics *metrics_new(uv_loop_t *loop, struct log *log,
                            const struct lateness *late) {
    (void)log;
    assert_non_null(late);
    if (is_broken("metrics"))
        return NULL;
    uv_timer_init(loop, &test.tick);
    uv_timer_start(&test.tick, on_tick, 0, 1);
    uv_unref((uv_handle_t *)&test.tick);
    return (struct metrics *)&test;
}

struct statsd *metrics_statsd(struct metrics *t) {
    (void)t;
    return STATSD;
}

void metrics_start(struct metrics *t, const struct services *services,
                   const struct config *config) {
    (void)t;
    assert_non_null(services);
    tell("metrics of", config->instance_id);
}

void metrics_reload(struct metrics *t, const struct config *config) {
    (void)t;
    tell("metrics:", config ? config->instance_id : "refused");
}

void metrics_close(struct metrics *t) {
    if (!t)
        return;
    tell("end", "metrics");
    if (test.on_tick != close_slowly)
        uv_close((uv_handle_t *)&test.tick, NULL);
    else
        uv_ref((uv_handle_t *)&test.tick);
}

struct control *control_new(const struct control_env *env) {
    const struct services_env *theirs = &env->services->env;

    assert_non_null(theirs->queue);
    assert_non_null(theirs->worker);
    assert_ptr_equal(theirs->holds, &env->store->holds);
    assert_non_null(theirs->check.curl);
    assert_non_null(theirs->check.children);
    assert_non_null(theirs->check.late);
    assert_non_null(theirs->check.untried);
    assert_ptr_equal(theirs->check.statsd, STATSD);
    test.env = *env;
    return is_broken("control") ? NULL : (struct control *)&test;
}

int control_begin(struct control *c, const char *socket, const char *holds_path,
                  const char *handed, struct error *err) {
    (void)c;
    (void)holds_path;
    tell("socket", socket ? socket : "none");
    if (handed)
        tell("holds", handed);
    if (test.refuses)
        error_set(err, "%s", test.refuses);
    return test.refuses ? -1 : 0;
}

int control_use(struct control *c, const char *socket, const char *holds_path,
                struct error *err) {
    return control_begin(c, socket, holds_path, NULL, err);
}

void control_close(struct control *c) {
    if (c)
        tell("end", "control");
}

void upgrade_open(struct upgrade *u) {
    assert_string_equal(u->argv[0], "nerve");
    uv_timer_init(u->loop, &u->timer);
}

void upgrade_start(struct upgrade *u) {
    assert_non_null(u->services);
    assert_non_null(u->children);
    assert_int_equal(u->descriptors->rlim_cur, test.descriptors.rlim_cur);
    tell("upgrade:", "begin");
    raise(SIGTERM);
}

void upgrade_stop(struct upgrade *u) {
    (void)u;
    tell("upgrade:", "stop");
    if (test.hangs)
        sem_post(&test.go_on);
    for (; test.blocked > 0; test.blocked--)
        sem_post(&test.go_on);
}

void upgrade_close(struct upgrade *u) {
    uv_close((uv_handle_t *)&u->timer, NULL);
}

int upgrade_restore(struct services *r, struct handover *from) {
    assert_null(services_at(r, 0));
    assert_non_null(from);
    tell("upgrade:", "restore");
    return is_broken("restore") ? -1 : 0;
}

static void terminate(void) { raise(SIGTERM); }

static void reload(void) { raise(SIGHUP); }

static void write_config(const char *id, const char *more) {
    FILE *file = fopen(PATH, "w");

    assert_non_null(file);
    fprintf(file,
            "{\"instance_id\": \"%s\", \"services\": {\"web\": {\"host\": "
            "\"127.0.0.1\", \"port\": 80, \"zk_path\": \"/web\", \"zk_hosts\": "
            "[\"zk1:2181\"], \"check_interval\": 3600, \"checks\": [{\"type\": "
            "\"noop\"}]}%s}\n",
            id, more);
    fclose(file);
}

static char directory[] = "/tmp/daemon-XXXXXX";

static int enter_directory(void **state) {
    (void)state;
    return mkdtemp(directory) ? chdir(directory) : -1;
}

static int remove_directory(void **state) {
    (void)state;
    return rmdir(directory);
}

static int begin(void **state) {
    (void)state;
    memset(&test, 0, sizeof(test));
    test.descriptors = (struct rlimit){1024, 4096};
    sem_init(&test.go_on, 0, 0);
    test.steps[0] = terminate;
    all_gone = true;
    story[0] = fake_counted[0] = '\0';
    fake_log_clear();
    write_config("i", "}");
    return 0;
}

static int end(void **state) {
    (void)state;
    sem_destroy(&test.go_on);
    return unlink(PATH);
}

/* Runs nerve until a step ends it. */
static int run_from(struct handover *from) {
    static char name[] = "nerve";
    static char *argv[] = {name, NULL};
    struct options options = {.config = PATH, .argv = argv};
    struct error err = {0};
    struct config *config = __real_config_load(PATH, NULL, NULL, &err);

    assert_string_equal(err.text, "");
    signals_hold(); /* as main() does */
    return daemon_run(config, &options, from, NULL);
}

static int run(void) { return run_from(NULL); }

/* Tells whether the log has <line> once. */
static bool logged_once(const char *line) {
    const char *found = strstr(fake_log_text, line);

    if (!found || strstr(found + 1, line)) {
        fprintf(stderr, "log:\n%s", fake_log_text);
        return false;
    }
    return true;
}

static bool logged(const char *line) {
    return strstr(fake_log_text, line) != NULL;
}

/* Checks have something to say, too, now and then. */
static void keep_lines_with(const char *what) {
    char *from = fake_log_text, *to = fake_log_text, *end;

    for (; (end = strchr(from, '\n')); from = end + 1) {
        size_t length = (size_t)(end + 1 - from);

        if (!memmem(from, length, what, strlen(what)))
            continue;
        memmove(to, from, length);
        to += length;
    }
    *to = '\0';
}

static void runs_until_SIGTERM(void **state) {
    (void)state;
    assert_int_equal(run(), 0);
    assert_true(logged_once("info SIGTERM: removing the registrations\n"));
    assert_string_equal(story, "socket none\n"
                               "heartbeat nowhere\n"
                               "watchdog 30\n"
                               "metrics of i\n"
                               "open zk1:2181\n"
                               "manager: ready\n"
                               "manager: stopping\n"
                               "upgrade: stop\n"
                               "end control\n"
                               "drop /web\n"
                               "close zk1:2181\n"
                               "end heartbeat\n"
                               "end watchdog\n"
                               "end metrics\n");
    assert_null(test.lines);
}

static void interrupt(void) { raise(SIGINT); }

static void runs_until_SIGINT(void **state) {
    (void)state;
    test.steps[0] = interrupt;
    assert_int_equal(run(), 0);
    assert_true(logged_once("info SIGINT: removing the registrations\n"));
}

/* The tenth turn has other signals; after the twentieth all is removed. */
static void signal_again(void) {
    if (!told("manager: stopping"))
        return;
    assert_false(told("close"));
    if (++test.turns == 10) {
        raise(SIGHUP);
        raise(SIGUSR2);
        raise(SIGTERM);
    }
    if (test.turns == 20)
        all_gone = true;
}

static void terminate_slowly(void) {
    all_gone = false;
    in_each_turn(signal_again);
    raise(SIGTERM);
}

static void
removes_the_registrations_before_it_closes_the_sessions(void **state) {
    (void)state;
    test.steps[0] = terminate_slowly;
    assert_int_equal(run(), 0);
    assert_true(test.turns >= 20);
    assert_true(told("close zk1:2181\n"));
}

/* It has said that it stops. */
static void acts_on_no_signal_any_more_while_it_stops(void **state) {
    (void)state;
    test.steps[0] = terminate_slowly;
    assert_int_equal(run(), 0);
    assert_true(test.turns >= 20);
    assert_false(told("reloading"));
    assert_false(told("upgrade: begin"));
    assert_true(logged_once("SIGTERM: removing"));
}

static void be_late(void) {
    if (!told("manager: stopping"))
        return;
    assert_true(test.later_ms == 1000 || !told("close"));
    if (++test.turns == 10)
        test.later_ms = 999;
    else if (test.turns == 50)
        test.later_ms = 1000;
}

static void terminate_in_vain(void) {
    all_gone = false;
    in_each_turn(be_late);
    raise(SIGTERM);
}

static void waits_a_second_at_most_for_the_registrations(void **state) {
    (void)state;
    test.steps[0] = terminate_in_vain;
    assert_int_equal(run(), 0);
    assert_in_range(test.turns, 50, 1000);
    assert_true(told("close zk1:2181\n"));
    assert_false(logged("stopped without"));
}

static void work(void *data) {
    (void)data;
    sem_wait(&test.go_on);
    test.job_done = true;
}

static void ignore(void *data) { (void)data; }

static void end_the_job(void) {
    if (!told("close"))
        return;
    assert_false(told("end watchdog"));
    if (++test.turns == 20)
        sem_post(&test.go_on);
}

/* Closing a session takes seconds. */
static void terminate_while_it_closes(void) {
    struct worker *closer = test.env.services->env.worker;

    assert_int_equal(worker_run(closer, work, ignore, NULL), 0);
    in_each_turn(end_the_job);
    raise(SIGTERM);
}

static void terminate_while_it_writes(void) {
    assert_int_equal(worker_run(test.env.store->worker, work, ignore, NULL), 0);
    in_each_turn(end_the_job);
    raise(SIGTERM);
}

static void waits_until_the_sessions_are_closed(void **state) {
    (void)state;
    test.steps[0] = terminate_while_it_closes;
    assert_int_equal(run(), 0);
    assert_true(test.job_done);
    assert_false(logged("stopped without"));
}

static void waits_until_the_holds_are_written(void **state) {
    (void)state;
    test.steps[0] = terminate_while_it_writes;
    assert_int_equal(run(), 0);
    assert_true(test.job_done);
}

static void terminate_and_close_slowly(void) {
    in_each_turn(close_slowly);
    raise(SIGTERM);
}

static void closes_once_however_long_that_takes(void **state) {
    (void)state;
    test.steps[0] = terminate_and_close_slowly;
    assert_int_equal(run(), 0);
    assert_int_equal(test.turns, 50);
    assert_true(told("end metrics\n"));
}

static void never_ends(void *data) {
    (void)data;
    for (;;)
        pause();
}

static void be_too_late(void) {
    if (!told("close"))
        return;
    if (++test.turns == 20)
        test.later_ms = 1599;
    else if (test.turns == 60)
        log_line(NULL, LEVEL_INFO, "not yet");
    else if (test.turns == 61)
        test.later_ms = 1600;
}

static void terminate_for_ever(void) {
    struct worker *closer = test.env.services->env.worker;

    assert_int_equal(worker_run(closer, never_ends, ignore, NULL), 0);
    in_each_turn(be_too_late);
    raise(SIGTERM);
}

/* The client library may hang in a query for names. The sender of the signal
 * would kill nerve some seconds later.
 *
 * It is the first test: a sanitizer wants no threads where it forks. */
static void ends_after_1600_ms_whatever_hangs(void **state) {
    char text[2000] = "";
    int status;
    pid_t child;

    (void)state;
    test.steps[0] = terminate_for_ever;
    assert_int_equal(pipe(test.answers), 0);
    child = fork();
    if (child == 0)
        _exit(run() + 7);
    close(test.answers[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(read(test.answers[0], text, sizeof(text) - 1) > 0);
    close(test.answers[0]);
    assert_non_null(strstr(text, "info not yet\n"
                                 "warning stopped without an answer; what is "
                                 "registered goes with its session\n"));
}

static void reload_another(void) {
    write_config("j",
                 ", \"api\": {\"host\": \"127.0.0.1\", \"port\": 81, "
                 "\"zk_path\": \"/api\", \"zk_hosts\": [\"zk1:2181\"], "
                 "\"check_interval\": 3600, \"checks\": [{\"type\": "
                 "\"noop\"}]}}, \"control_socket\": \"/s\", "
                 "\"holds_path\": \"/tmp/holds\", "
                 "\"heartbeat_path\": \"/beat\", \"watchdog\": 7, \"oddity\": "
                 "1");
    story[0] = '\0';
    reload();
}

static void uses_another_configuration_on_SIGHUP(void **state) {
    (void)state;
    test.steps[0] = reload_another;
    test.steps[1] = terminate;
    assert_int_equal(run(), 0);
    assert_non_null(strstr(story, "manager: reloading\n"
                                  "socket /s\n"));
    assert_true(told("heartbeat /beat\nwatchdog 7\nmetrics: j\n"
                     "manager: ready\n"));
    assert_true(logged_once("info reloaded as j, 2 services\n"));
    assert_true(logged_once("oddity"));
    assert_true(logged_once("info api: "));
}

static void tells_of_one_service(void **state) {
    (void)state;
    test.steps[0] = reload;
    test.steps[1] = terminate;
    assert_int_equal(run(), 0);
    assert_true(logged_once("info reloaded as i, 1 service\n"));
}

static void reload_nonsense(void) {
    write_config("j", "}, \"oddity\": 1, \"watchdog\": -1, \"x\": [");
    reload();
}

static void reload_wrong(void) {
    write_config("j", "}, \"oddity\": 1, \"watchdog\": -1");
    reload();
}

static void keeps_its_configuration_where_another_is_wrong(void **state) {
    (void)state;
    test.steps[0] = reload_nonsense;
    test.steps[1] = reload_wrong;
    test.steps[2] = terminate;
    assert_int_equal(run(), 0);
    assert_true(told("manager: reloading\nmetrics: refused\nmanager: ready\n"
                     "manager: reloading\nmetrics: refused\nmanager: ready\n"));
    assert_true(logged_once("error not reloaded, nothing is changed: " PATH
                            ": line 1"));
    assert_true(logged_once("error not reloaded, nothing is changed: " PATH
                            ": watchdog: "));
    assert_true(logged_once("oddity"));
    assert_false(logged("reloaded as"));
}

static void reload_another_socket(void) {
    test.refuses = "control_socket: /s: in use";
    reload_another();
}

static void keeps_its_configuration_where_the_socket_is_refused(void **state) {
    (void)state;
    test.steps[0] = reload_another_socket;
    test.steps[1] = terminate;
    assert_int_equal(run(), 0);
    assert_true(logged_once("error not reloaded, nothing is changed: "
                            "control_socket: /s: in use\n"));
    assert_true(told("manager: reloading\nsocket /s\nmetrics: refused\n"
                     "manager: ready\n"));
    assert_false(logged("api"));
}

/* The second signal comes while the first one's configuration is read. */
static void reload_during_a_reload(void) {
    const char *first = strstr(story, "reloading");

    if (test.turns == 0 && test.reads == 1) {
        test.turns = 1;
        reload();
    } else if (test.turns == 1 && strstr(first + 1, "reloading")) {
        test.turns = 2;
        assert_false(told("metrics:"));
        write_config("j", "}");
        test.hangs = false;
        sem_post(&test.go_on);
    }
}

/* It is not used, nor are its faults told of: another is there by then. */
static void reload_and_hang(void) {
    write_config("k", "}, \"oddity\": 1, \"watchdog\": -1");
    test.hangs = true;
    in_each_turn(reload_during_a_reload);
    reload();
}

static void reads_once_more_if_asked_during_a_reload(void **state) {
    (void)state;
    test.steps[0] = reload_and_hang;
    test.steps[1] = terminate;
    assert_int_equal(run(), 0);
    assert_int_equal(test.reads, 2);
    assert_true(logged_once("reloaded as j, 1 service"));
    assert_false(logged("not reloaded"));
    assert_false(logged("oddity"));
}

static void terminate_during_a_reload(void) {
    if (test.reads == 1 && test.turns++ == 0)
        raise(SIGTERM);
}

static void reload_and_terminate(void) {
    test.hangs = true;
    in_each_turn(terminate_during_a_reload);
    reload();
}

static void uses_no_configuration_any_more_while_it_stops(void **state) {
    (void)state;
    test.steps[0] = reload_and_terminate;
    assert_int_equal(run(), 0);
    assert_int_equal(test.reads, 1);
    assert_false(logged("reloaded"));
    assert_false(told("metrics:"));
}

static void block(uv_work_t *job) {
    (void)job;
    sem_wait(&test.go_on);
}

/* The read waits for a thread when the signal comes. */
static void terminate_before_the_read(void) {
    if (told("reloading") && test.turns++ == 0)
        raise(SIGTERM);
}

static void block_and_reload(void) {
    for (; test.blocked < POOL; test.blocked++)
        uv_queue_work(test.env.loop, &test.jobs[test.blocked], block, NULL);
    in_each_turn(terminate_before_the_read);
    reload();
}

static void reads_no_configuration_any_more_while_it_stops(void **state) {
    (void)state;
    test.steps[0] = block_and_reload;
    assert_int_equal(run(), 0);
    assert_int_equal(test.reads, 0);
    assert_false(logged("reloaded"));
}

static void see_signals(uv_work_t *job) {
    sigset_t set;

    (void)job;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    test.takes_signals = !sigismember(&set, SIGTERM);
}

static void see_and_terminate(void) {
    uv_queue_work(test.env.loop, &test.jobs[0], see_signals, NULL);
    raise(SIGTERM);
}

/* An exec would lose it, and the end of a program would interrupt them. */
static void takes_signals_on_no_thread_but_its_own(void **state) {
    (void)state;
    test.takes_signals = true;
    test.steps[0] = see_and_terminate;
    assert_int_equal(run(), 0);
    assert_false(test.takes_signals);
}

static void upgrade_now(void) { raise(SIGUSR2); }

static void begins_an_upgrade_on_SIGUSR2(void **state) {
    (void)state;
    test.steps[0] = upgrade_now;
    assert_int_equal(run(), 0);
    assert_true(told("manager: ready\nmanager: reloading\nupgrade: begin\n"));
}

static struct handover *handed_over(void) {
    struct holds holds = {0};
    struct error err = {0};
    struct json_t *all = handover_begin();
    struct handover *from;
    char *text;

    assert_int_equal(handover_add_holds(all, &holds), 0);
    text = handover_text(all);
    from = handover_read(text, strlen(text), &err);
    assert_string_equal(err.text, "");
    free(text);
    handover_end(all);
    return from;
}

static void goes_on_for_the_process_before(void **state) {
    (void)state;
    assert_int_equal(run_from(handed_over()), 0);
    assert_true(told("holds {"));
    assert_true(told("metrics of i\nupgrade: restore\n"));
    assert_true(logged("info web: "));
    /* At a start it says what runs in one line. */
    fake_log_clear();
    test.step = 0;
    assert_int_equal(run(), 0);
    assert_false(logged("info web: "));
}

/* Its registrations are worth more than a part. */
static void goes_on_without_a_control_socket(void **state) {
    (void)state;
    test.refuses = "control_socket: /s: in use";
    assert_int_equal(run_from(handed_over()), 0);
    assert_true(logged_once("error control_socket: /s: in use\n"));
    assert_true(told("manager: ready"));
}

static void does_not_start_without_a_control_socket(void **state) {
    (void)state;
    test.refuses = "control_socket: /s: in use";
    assert_int_equal(run(), -1);
    assert_true(
        fake_log_is("error cannot start: control_socket: /s: in use\n"));
    assert_false(told("manager: ready"));
}

static void does_not_start_without_memory(void **state) {
    static const char *const parts[] = {"control", "heartbeat", "metrics"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        story[0] = '\0';
        test.broken = parts[i];
        assert_int_equal(run(), -1);
        assert_true(fake_log_is("error cannot start: out of memory\n"));
        assert_false(told("manager: ready"));
        assert_true(told("end control\n") == (i == 1));
    }
    story[0] = '\0';
    test.broken = "restore";
    assert_int_equal(run_from(handed_over()), -1);
    assert_true(fake_log_is("error cannot start: out of memory\n"));
    assert_true(told("end control\nend heartbeat\nend watchdog\n"
                     "end metrics\n"));
}

static void does_not_start_without_a_loop(void **state) {
    (void)state;
    test.broken = "loop";
    assert_int_equal(run_from(handed_over()), -1);
    assert_true(fake_log_is("error cannot start: no event loop\n"));
}

static void runs_without_a_watchdog(void **state) {
    (void)state;
    test.broken = "watchdog";
    test.steps[0] = reload;
    test.steps[1] = terminate;
    assert_int_equal(run(), 0);
    assert_true(logged_once("warning watchdog: no thread for it; a loop that "
                            "hangs is not noticed\n"));
    assert_true(told("end metrics"));
}

static void push_line(enum event_level level, const char *text, bool has_cause,
                      size_t dropped) {
    struct event *ev = event_new(EVENT_LOG);

    ev->level = level;
    ev->data = text ? strdup(text) : NULL;
    ev->has_cause = has_cause;
    ev->count = dropped;
    queue_push(test.lines, ev);
}

static void see_lines(void) {
    if (!logged("three last"))
        return;
    if (test.turns++ == 0) {
        test.later_ms = 59999;
        push_line(LEVEL_ERROR, "early last", false, 0);
    } else if (test.turns == 20) {
        test.later_ms = 60000;
        push_line(LEVEL_ERROR, "late", false, 0);
    } else if (test.turns == 40) {
        raise(SIGTERM);
    }
}

static void write_lines(void) {
    push_line(LEVEL_INFO, "news", false, 0);
    push_line(LEVEL_WARNING, "one", false, 0);
    push_line(LEVEL_ERROR, "two", false, 0);
    push_line(LEVEL_ERROR, "refused", true, 0);
    push_line(LEVEL_ERROR, "refused again", true, 1);
    push_line(LEVEL_ERROR, "three last", false, 2);
    push_line(LEVEL_ERROR, NULL, false, 0);
    in_each_turn(see_lines);
}

/* The client library writes many lines while a server is down. */
static void
logs_one_line_of_the_library_a_minute_and_one_with_a_cause(void **state) {
    (void)state;
    test.steps[0] = write_lines;
    assert_int_equal(run(), 0);
    keep_lines_with("zookeeper: ");
    assert_true(fake_log_is("debug zookeeper: news\n"
                            "info zookeeper: one\n"
                            "debug zookeeper: two\n"
                            "info zookeeper: refused\n"
                            "debug zookeeper: refused again (1 line dropped "
                            "before)\n"
                            "debug zookeeper: three last (2 lines dropped "
                            "before)\n"
                            "debug zookeeper: \n"
                            "debug zookeeper: early last\n"
                            "info zookeeper: late\n"));
    assert_true(told("event for zk1:2181\n"));
}

static void see_the_file(void) {
    int error;

    if (holds_file_kept(test.env.store, test.write, &error) == HOLD_KEPT)
        raise(SIGTERM);
}

static void keep_holds(void) {
    struct error err = {0};

    assert_int_equal(holds_file_use(test.env.store, PATH ".holds", &err), 0);
    test.write = holds_file_write(test.env.store);
    in_each_turn(see_the_file);
}

static void notices_that_the_holds_are_written(void **state) {
    (void)state;
    test.steps[0] = keep_holds;
    assert_int_equal(run(), 0);
    assert_int_equal(unlink(PATH ".holds"), 0);
}

/* A thousand simultaneous checks need as many descriptors. Some container
 * runtimes give a thousand million: see DESCRIPTORS_MAX. */
static void raises_its_limit_of_descriptors(void **state) {
    (void)state;
    assert_int_equal(run(), 0);
    assert_int_equal(test.raised.rlim_cur, 4096);
    assert_int_equal(test.raised.rlim_max, 4096);
    begin(state);
    test.descriptors = (struct rlimit){1024, 1073741816};
    assert_int_equal(run(), 0);
    assert_int_equal(test.raised.rlim_cur, 524288);
    assert_int_equal(test.raised.rlim_max, 1073741816);
    begin(state);
    test.descriptors = (struct rlimit){1073741816, 1073741816};
    assert_int_equal(run(), 0);
    assert_int_equal(test.raised.rlim_max, 0); /* left as it is */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(ends_after_1600_ms_whatever_hangs),
        TEST(runs_until_SIGTERM),
        TEST(runs_until_SIGINT),
        TEST(removes_the_registrations_before_it_closes_the_sessions),
        TEST(acts_on_no_signal_any_more_while_it_stops),
        TEST(waits_a_second_at_most_for_the_registrations),
        TEST(waits_until_the_sessions_are_closed),
        TEST(waits_until_the_holds_are_written),
        TEST(closes_once_however_long_that_takes),
        TEST(uses_another_configuration_on_SIGHUP),
        TEST(tells_of_one_service),
        TEST(keeps_its_configuration_where_another_is_wrong),
        TEST(keeps_its_configuration_where_the_socket_is_refused),
        TEST(reads_once_more_if_asked_during_a_reload),
        TEST(uses_no_configuration_any_more_while_it_stops),
        TEST(reads_no_configuration_any_more_while_it_stops),
        TEST(takes_signals_on_no_thread_but_its_own),
        TEST(begins_an_upgrade_on_SIGUSR2),
        TEST(goes_on_for_the_process_before),
        TEST(goes_on_without_a_control_socket),
        TEST(does_not_start_without_a_control_socket),
        TEST(does_not_start_without_memory),
        TEST(does_not_start_without_a_loop),
        TEST(runs_without_a_watchdog),
        TEST(logs_one_line_of_the_library_a_minute_and_one_with_a_cause),
        TEST(notices_that_the_holds_are_written),
        TEST(raises_its_limit_of_descriptors),
    };
    return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
