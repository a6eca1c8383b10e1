/* test_process.c - tests of nerve/config/process.c, with a password's file
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"

static struct error said;

static struct config *parse(const char *members) {
    char text[500];

    snprintf(text, sizeof(text), "{\"instance_id\": \"i-1\"%s}", members);
    said.text[0] = '\0';
    return config_parse(text, strlen(text), NULL, NULL, &said);
}

static void nothing_listens_and_nothing_is_sent_by_default(void **state) {
    struct config *config = parse("");

    (void)state;
    assert_non_null(config);
    assert_null(config->metrics.host);
    assert_null(config->statsd.host);
    config_free(config);
}

static void metrics_listen_is_a_port_or_an_address_and_a_port(void **state) {
    static const struct {
        const char *value, *host;
        int port;
    } cases[] = {
        {"9292", "127.0.0.1", 9292},
        {"\"9292\"", "127.0.0.1", 9292},
        {"\"0.0.0.0:65535\"", "0.0.0.0", 65535},
        {"\"[::1]:80\"", "::1", 80},
        {"\"10.0.0.1:1\"", "10.0.0.1", 1},
    };
    char members[100];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct config *config;

        snprintf(members, sizeof(members), ", \"metrics_listen\": %s",
                 cases[i].value);
        config = parse(members);
        assert_non_null(config);
        assert_string_equal(config->metrics.host, cases[i].host);
        assert_int_equal(config->metrics.port, cases[i].port);
        config_free(config);
    }
}

static void what_else_metrics_listen_holds_is_refused(void **state) {
    static const char *const values[] = {
        "0",
        "65536",
        "true",
        "\"\"",
        "\":80\"",
        "\"a:80\"",
        "\"127.0.0.1\"",
        "\"127.0.0.1:\"",
        "\"::1:80\"",
        "\"[]:80\"",
        "\"[127.0.0.1\"",
        "\"127.0.0.1:0\"",
        "\"127.0.0.1:65536\"",
        "\"1.2.3.4:+1\"",
        "\"1.2.3.4:80x\"",
        "[80]",
        "\"127.0.0.1:123456\"",
    };
    char members[100];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        snprintf(members, sizeof(members), ", \"metrics_listen\": %s",
                 values[i]);
        assert_null(parse(members));
        assert_memory_equal(said.text, "metrics_listen: ", 16);
        assert_non_null(strstr(said.text, " is not a port"));
    }
}

static void statsd_has_airbnbs_defaults(void **state) {
    struct config *config = parse(", \"statsd\": {}");

    (void)state;
    assert_string_equal(config->statsd.host, "localhost");
    assert_int_equal(config->statsd.port, 8125);
    config_free(config);
    config = parse(", \"statsd\": {\"host\": \"h\", \"port\": \"99\"}");
    assert_string_equal(config->statsd.host, "h");
    assert_int_equal(config->statsd.port, 99);
    assert_int_equal(config->notes.count, 1); /* that there are no services */
    config_free(config);
}

static void a_wrong_statsd_is_refused_with_its_place(void **state) {
    (void)state;
    assert_null(parse(", \"statsd\": \"h\""));
    assert_string_equal(said.text, "statsd: \"h\" is not an object ({...})");
    assert_null(parse(", \"statsd\": {\"port\": 0}"));
    assert_string_equal(said.text, "statsd.port: 0 is not a port (1 to 65535)");
}

static char path[] = "/tmp/nerve-auth-XXXXXX";

static int make_file(void **state) {
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

/* Gives the file <length> bytes of <text>, and a mode. */
static void write_file(const char *text, size_t length, mode_t mode) {
    int fd = open(path, O_WRONLY | O_TRUNC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static struct config *parse_members(const char *more, struct error *err) {
    char text[600];

    snprintf(text, sizeof(text), "{\"instance_id\": \"i\", %s}", more);
    return config_parse(text, strlen(text), NULL, NULL, err);
}

static struct config *parse_auth(struct error *err) {
    char more[200];

    snprintf(more, sizeof(more),
             "\"auth\": {\"user\": \"nerve\", \"password_file\": \"%s\"}",
             path);
    return parse_members(more, err);
}

static void assert_password(const char *text, const char *password) {
    char wanted[1100];
    struct config *config;

    write_file(text, strlen(text), 0640);
    config = parse_auth(NULL);
    assert_non_null(config);
    snprintf(wanted, sizeof(wanted), "nerve:%s", password);
    assert_string_equal(config->auth, wanted);
    config_free(config);
}

static void assert_refused(const char *why) {
    struct error err = {0};
    char wanted[300];

    assert_null(parse_auth(&err));
    snprintf(wanted, sizeof(wanted), "auth.password_file: %s: %s", path, why);
    assert_string_equal(err.text, wanted);
}

static void the_first_line_is_the_password(void **state) {
    char longest[1025];

    (void)state;
    assert_password("secret\n", "secret");
    assert_password("with space: \"and\" colon\r\n",
                    "with space: \"and\" colon");
    assert_password("first\nsecond\n", "first");
    memset(longest, 'x', 1024);
    longest[1024] = '\0';
    assert_password(longest, longest);
}

static void a_file_does_not_stay_open(void **state) {
    int before = dup(0);

    (void)state;
    close(before);
    assert_password("secret\n", "secret");
    assert_int_equal(dup(0), before);
    close(before);
}

static void what_is_no_password_is_refused(void **state) {
    static const char wrong[] =
        "must hold a password in its first line, of at most 1024 bytes";
    char endless[2000];

    (void)state;
    write_file("", 0, 0600);
    assert_refused(wrong);
    write_file("\nsecond\n", 8, 0600);
    assert_refused(wrong);
    write_file("ta\tb\n", 5, 0600);
    assert_refused(wrong);
    memset(endless, 'x', sizeof(endless));
    write_file(endless, sizeof(endless), 0600);
    assert_refused(wrong);
    write_file(endless, 1025, 0600);
    assert_refused(wrong);
}

static void a_file_that_others_may_use_is_refused(void **state) {
    static const mode_t modes[] = {0644, 0604, 0602, 0601, 0620, 0660};

    (void)state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_file("secret\n", 7, modes[i]);
        assert_refused(
            "may be read or written by others; chmod it to 0600 or 0640");
    }
    write_file("secret\n", 7, 0600);
}

static void assert_wrong(const char *more, const char *why) {
    struct error err = {0};

    assert_null(parse_members(more, &err));
    assert_string_equal(err.text, why);
}

static void what_is_missing_or_wrong_is_told(void **state) {
    (void)state;
    assert_wrong("\"auth\": {\"user\": \"a\"}",
                 "auth.password_file: missing; it must be the path of a file "
                 "that holds the password");
    assert_wrong("\"auth\": {\"password_file\": \"/x\"}",
                 "auth.user: missing; it must be the name of a user");
    assert_wrong("\"auth\": {\"user\": \"a:b\", \"password_file\": \"/x\"}",
                 "auth.user: \"a:b\" is not a name without a colon");
    assert_wrong("\"auth\": {\"user\": \"a\", \"password_file\": \"/none\"}",
                 "auth.password_file: /none: No such file or directory");
    assert_wrong("\"auth\": {\"user\": \"a\", \"password_file\": \"/tmp\"}",
                 "auth.password_file: /tmp: is not a regular file");
    assert_wrong("\"acl\": \"world:all\"",
                 "acl: \"world:all\" is not \"open\" or "
                 "\"creator:all,world:read\"");
    assert_wrong("\"acl\": \"creator:all,world:read\"",
                 "acl: \"creator:all,world:read\" needs auth: without it there "
                 "is no creator");
}

static void accept_members(const char *members) {
    struct config *config = parse_members(members, NULL);

    assert_non_null(config);
    config_free(config);
}

static void an_acl_holds_for_every_service(void **state) {
    char more[500];
    struct config *config;

    (void)state;
    write_file("secret\n", 7, 0600);
    snprintf(more, sizeof(more),
             "\"acl\": \"creator:all,world:read\", \"auth\": {\"user\": \"a\","
             "\"password_file\": \"%s\"}, \"services\": {\"web\": {\"host\": "
             "\"h\", \"port\": 80, \"zk_hosts\": [\"z:1\"], \"zk_path\": "
             "\"/a\"}}",
             path);
    config = parse_members(more, NULL);
    assert_non_null(config);
    assert_true(config->services[0].creator_acl);
    config_free(config);
    config = parse_members("\"acl\": \"open\"", NULL);
    assert_non_null(config);
    assert_null(config->auth);
    assert_false(config->creator_acl);
    config_free(config);
}

/* Without the file, what an operator took out would serve again after a
 * restart. */
static void a_control_socket_needs_a_file_for_the_holds(void **state) {
    char most[120], text[200];

    (void)state;
    accept_members("\"control_socket\": \"/s\", \"holds_path\": \"/h\"");
    accept_members("\"holds_path\": \"/h\"");
    assert_wrong("\"control_socket\": \"/s\"",
                 "holds_path: missing; with control_socket it must be a file "
                 "that keeps what is disabled over a restart");
    assert_wrong("\"control_socket\": \"/s\", \"holds_path\": null",
                 "holds_path: missing; with control_socket it must be a file "
                 "that keeps what is disabled over a restart");
    assert_wrong("\"holds_path\": \"/h/\"",
                 "holds_path: \"/h/\" is not a file's path (it ends with /)");
    memset(most, 'x', 107); /* sun_path has a NUL, too */
    most[107] = '\0';
    snprintf(text, sizeof(text),
             "\"control_socket\": \"%s\", \"holds_path\": \"/h\"", most);
    accept_members(text);
    snprintf(text, sizeof(text),
             "\"control_socket\": \"%sx\", \"holds_path\": \"/h\"", most);
    assert_wrong(text, "control_socket: longer than 107 bytes, which no path "
                       "of a socket can be");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_listens_and_nothing_is_sent_by_default),
        cmocka_unit_test(metrics_listen_is_a_port_or_an_address_and_a_port),
        cmocka_unit_test(what_else_metrics_listen_holds_is_refused),
        cmocka_unit_test(statsd_has_airbnbs_defaults),
        cmocka_unit_test(a_wrong_statsd_is_refused_with_its_place),
        cmocka_unit_test(the_first_line_is_the_password),
        cmocka_unit_test(what_is_no_password_is_refused),
        cmocka_unit_test(a_file_does_not_stay_open),
        cmocka_unit_test(a_file_that_others_may_use_is_refused),
        cmocka_unit_test(what_is_missing_or_wrong_is_told),
        cmocka_unit_test(an_acl_holds_for_every_service),
        cmocka_unit_test(a_control_socket_needs_a_file_for_the_holds),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
