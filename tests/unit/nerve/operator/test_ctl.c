/* test_ctl.c - tests of the command line in nerve/operator/ctl.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/operator/ctl.h"

static char config[] = "from-environment";

static char *with_config(const char *name) {
    return strcmp(name, "NERVE_CONFIG") == 0 ? config : NULL;
}

static char *without(const char *name) {
    (void)name;
    return NULL;
}

/* Reads <line>, words parted by single spaces. */
static struct ctl_options read_line(const char *line,
                                    char *(*getenv_fn)(const char *name)) {
    static char copy[300];
    char *argv[20] = {"ctl"}, *rest = NULL;
    int count = 1;

    strcpy(copy, line);
    for (char *word = strtok_r(copy, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        argv[count++] = word;
    return ctl_options_read(count, argv, getenv_fn);
}

static void a_command_line_becomes_a_request(void **state) {
    static const char *const cases[][2] = {
        {"status", "{\"command\":\"status\"}"},
        {"dump", "{\"command\":\"dump\"}"},
        {"disable web --reason disk",
         "{\"command\":\"disable\",\"service\":\"web\",\"reason\":\"disk\"}"},
        {"disable web --for 30m --reason disk --drain 500ms",
         "{\"command\":\"disable\",\"service\":\"web\",\"for_ms\":1800000,"
         "\"reason\":\"disk\",\"drain_ms\":500}"},
        {"enable web", "{\"command\":\"enable\",\"service\":\"web\"}"},
        {"weight web 12",
         "{\"command\":\"weight\",\"service\":\"web\",\"weight\":12}"},
        {"wait web --up",
         "{\"command\":\"wait\",\"service\":\"web\",\"up\":true}"},
        {"wait web --down --timeout 5",
         "{\"command\":\"wait\",\"service\":\"web\",\"up\":false,"
         "\"timeout_ms\":5000}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct ctl_options options = read_line(cases[i][0], with_config);
        char *text = json_dumps(options.request, JSON_COMPACT);

        assert_int_equal(options.action, CTL_ASK);
        assert_string_equal(text, cases[i][1]);
        free(text);
        json_decref(options.request);
    }
}

static void the_socket_is_given_or_is_in_a_configuration(void **state) {
    struct ctl_options options = read_line("-s sock status", without);

    (void)state;
    assert_string_equal(options.socket, "sock");
    json_decref(options.request);
    options = read_line("status --config file", with_config);
    assert_string_equal(options.config, "file");
    assert_null(options.socket);
    json_decref(options.request);
    options = read_line("status --json", with_config);
    assert_string_equal(options.config, config);
    assert_true(options.json);
    json_decref(options.request);
}

/* Nothing asked the nerve of the package without -c or -s, as the README said
 * that it would. */
static void without_either_the_socket_of_the_package_is_asked(void **state) {
    struct ctl_options options = read_line("status", without);

    (void)state;
    assert_int_equal(options.action, CTL_ASK);
    assert_string_equal(options.socket, "/run/nerve/control.sock");
    json_decref(options.request);
}

static void an_answer_may_take_as_long_as_was_asked_for(void **state) {
    struct ctl_options options = read_line("enable web", with_config);

    (void)state;
    assert_int_equal(options.patience_ms, 90000);
    json_decref(options.request);
    options = read_line("wait web --up --timeout 2h", with_config);
    assert_int_equal(options.patience_ms, 7230000);
    json_decref(options.request);
    options =
        read_line("disable web --reason r --for 7d --drain 1m", with_config);
    assert_int_equal(options.patience_ms, 90000);
    json_decref(options.request);
}

static void what_may_be_meant_is_named(void **state) {
    static const char *const cases[][2] = {
        {"enabel web", "enable"},    {"stauts", "status"},
        {"status --jsn", "--json"},  {"disable web --reson r", "--reason"},
        {"--confg f", "--config"},   {"start", NULL},
        {"enable web --json", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct ctl_options options = read_line(cases[i][0], with_config);

        assert_int_equal(options.action, CTL_WRONG);
        if (cases[i][1])
            assert_string_equal(options.meant, cases[i][1]);
        else
            assert_null(options.meant);
        json_decref(options.request);
    }
}

static void what_is_wrong_is_named(void **state) {
    static const char *const cases[][3] = {
        {"", "COMMAND", "is missing"},
        {"start", "start", "is not a command"},
        {"--json status", "--json", "is not an option"},
        {"enable web --json", "--json", "is not an option of this command"},
        {"status web", "web", "is one word too many"},
        {"enable", "SERVICE", "is missing"},
        {"weight web", "N", "is missing"},
        {"weight web 1x", "1x", "is not a weight (a whole number from 0)"},
        {"disable web", "--reason TEXT", "is missing"},
        {"disable web --reason", "--reason", "needs a value"},
        {"disable web --reason r --for ever", "ever",
         "is not a time such as 20s, 30m, 2h or 7d"},
        {"wait web", "--up or --down", "is missing"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct ctl_options options = read_line(cases[i][0], without);

        assert_int_equal(options.action, CTL_WRONG);
        assert_string_equal(options.wrong, cases[i][1]);
        assert_string_equal(options.problem, cases[i][2]);
        json_decref(options.request);
    }
}

static void help_is_for_every_command(void **state) {
    struct ctl_options options = read_line("enable --help", without);

    (void)state;
    assert_int_equal(options.action, CTL_HELP);
    assert_non_null(strstr(ctl_options_help(), "enable SERVICE"));
    json_decref(options.request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_line_becomes_a_request),
        cmocka_unit_test(the_socket_is_given_or_is_in_a_configuration),
        cmocka_unit_test(without_either_the_socket_of_the_package_is_asked),
        cmocka_unit_test(an_answer_may_take_as_long_as_was_asked_for),
        cmocka_unit_test(what_may_be_meant_is_named),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(help_is_for_every_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
