/* test_systemd.c - tests of nerve/process/systemd.c, with a service manager's
 * socket
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/clock.h"
#include "nerve/process/systemd.h"

static char *usec, *whose;

static char *fake_getenv(const char *name) {
    return strcmp(name, "WATCHDOG_USEC") == 0 ? usec : whose;
}

static uint64_t interval(char *new_usec, char *new_whose) {
    usec = new_usec;
    whose = new_whose;
    return notify_interval(fake_getenv, 123);
}

static void it_is_half_of_what_is_asked_for(void **state) {
    char ten[] = "10000000", odd[] = "1000", us[] = "123";

    (void)state;
    assert_int_equal(interval(ten, us), 5000);
    assert_int_equal(interval(ten, NULL), 5000);
    assert_int_equal(interval(odd, us), 0);
}

static void none_is_given_where_none_is_asked_for(void **state) {
    char ten[] = "10000000", other[] = "124", us[] = "123", text[] = "soon";

    (void)state;
    assert_int_equal(interval(NULL, NULL), 0);
    assert_int_equal(interval(NULL, us), 0);
    assert_int_equal(interval(ten, other), 0);
    assert_int_equal(interval(text, us), 0);
}

/* What the service manager listens on. */
static int manager = -1;

/* Listens on <path>, of <length> bytes, and tells its name as a manager does:
 * one that is in no file system begins with "@". */
static void listen_on(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, path);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(manager >= 0);
    assert_int_equal(bind(manager, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                      strlen(path))),
                     0);
    setenv("NOTIFY_SOCKET", path, 1);
}

static int hang_up(void **state) {
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    if (manager >= 0)
        close(manager);
    manager = -1;
    return 0;
}

static void assert_heard(const char *wanted) {
    char text[100] = "";

    assert_true(recv(manager, text, sizeof(text) - 1, 0) >= 0);
    assert_string_equal(text, wanted);
}

static void assert_nothing_heard(void) {
    char text[100];

    assert_int_equal(recv(manager, text, sizeof(text), 0), -1);
}

static void tells_the_manager_how_it_fares(void **state) {
    char path[] = "/tmp/nerve-systemd-XXXXXX", name[60];

    (void)state;
    assert_non_null(mkdtemp(path));
    snprintf(name, sizeof(name), "%s/socket", path);
    listen_on(name);
    notify_ready();
    notify_stopping();
    assert_heard("READY=1");
    assert_heard("STOPPING=1");
    assert_nothing_heard();
    unlink(name);
    rmdir(path);
}

static void finds_a_socket_that_is_in_no_file_system(void **state) {
    char name[60];

    (void)state;
    snprintf(name, sizeof(name), "@nerve-test-%d", (int)getpid());
    listen_on(name);
    notify_ready();
    assert_heard("READY=1");
}

/* The manager takes what was told before that moment for the state before. */
static void a_reload_tells_when_it_began(void **state) {
    int64_t before = clock_us(), told = 0;
    char name[60], text[100] = "";

    (void)state;
    snprintf(name, sizeof(name), "@nerve-test-%d", (int)getpid());
    listen_on(name);
    notify_reloading();
    assert_true(recv(manager, text, sizeof(text) - 1, 0) > 0);
    assert_int_equal(
        sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%" SCNd64, &told), 1);
    assert_in_range(told, before, clock_us());
}

static void gives_signs_of_life_from_the_start(void **state) {
    uv_timer_t timer;
    uv_loop_t loop;
    char name[60];

    (void)state;
    snprintf(name, sizeof(name), "@nerve-test-%d", (int)getpid());
    listen_on(name);
    uv_loop_init(&loop);
    setenv("WATCHDOG_USEC", "600000000", 1);
    notify_open(&loop, &timer);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_heard("WATCHDOG=1");
    assert_nothing_heard();
    assert_int_equal(uv_timer_get_repeat(&timer), 300000);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    unsetenv("WATCHDOG_USEC");
    notify_open(&loop, &timer);
    assert_false(uv_is_active((uv_handle_t *)&timer));
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void without_a_manager_nothing_is_told(void **state) {
    char path[200];

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    setenv("NOTIFY_SOCKET", "", 1);
    notify_ready();
    /* Longer than an address may be. */
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    setenv("NOTIFY_SOCKET", path, 1);
    notify_ready();
}

#define TOLD(NAME) cmocka_unit_test_teardown(NAME, hang_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        TOLD(tells_the_manager_how_it_fares),
        TOLD(finds_a_socket_that_is_in_no_file_system),
        TOLD(a_reload_tells_when_it_began),
        TOLD(gives_signs_of_life_from_the_start),
        TOLD(without_a_manager_nothing_is_told),
        cmocka_unit_test(it_is_half_of_what_is_asked_for),
        cmocka_unit_test(none_is_given_where_none_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
