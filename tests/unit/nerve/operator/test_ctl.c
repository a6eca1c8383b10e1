/* test_ctl.c - tests of nerve/operator/ctl.c; a child of the test is nerve
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "nerve/operator/ctl.h"
#include "nerve/operator/socket.h"

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

static char directory[] = "/tmp/nerve-ctl-XXXXXX";
static char path[60], config_path[60];

/* What the program printed, and what it asked. */
static char output[4096], errors[4096], asked[400];

static int begin(void **state) {
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/socket", directory);
    snprintf(config_path, sizeof(config_path), "%s/nerve.json", directory);
    unsetenv("NERVE_CONFIG");
    return 0;
}

static int end(void **state) {
    char lock[80];

    (void)state;
    snprintf(lock, sizeof(lock), "%s.lock", path);
    unlink(lock);
    unlink(path);
    unlink(config_path);
    return rmdir(directory);
}

/* What a process answers that hangs up before it reads the request. */
static const char unread[] = "";

/* A process that answers one request, and writes what it was to <asked_fd>. */
static pid_t serve(const char *answer, int asked_fd) {
    struct control_socket s;
    ssize_t count;
    pid_t pid;
    int fd;

    assert_int_equal(control_socket_open(&s, path, NULL), 0);
    assert_int_equal(listen(s.fd, 1), 0);
    pid = fork();
    if (pid == 0) {
        fd = accept(s.fd, NULL, NULL);
        if (answer == unread)
            _exit(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1));
        count = read(fd, asked, sizeof(asked));
        if (write(asked_fd, asked, (size_t)count) != count ||
            write(fd, answer, strlen(answer)) != (ssize_t)strlen(answer))
            _exit(1);
        _exit(0);
    }
    close(s.fd);
    close(s.lock);
    return pid;
}

static void take(int fd, char *text, size_t size) {
    ssize_t count = pread(fd, text, size - 1, 0);

    assert_true(count >= 0);
    text[count] = '\0';
    close(fd);
}

/* Runs `ctl <line>`, "@" in it stands for the directory. <answer> is nerve's,
 * NULL: nobody listens. Returns the exit status. */
static int run(const char *line, const char *answer) {
    static char words[20][100];
    char *argv[21] = {"ctl"};
    int outputs[3], saved[3], count = 1, status;
    pid_t server = 0;

    for (int i = 1; i < 3; i++) {
        outputs[i] = memfd_create("output", 0);
        saved[i] = dup(i);
    }
    outputs[0] = memfd_create("asked", 0);
    if (answer)
        server = serve(answer, outputs[0]);
    for (const char *at = line; *at; count++) {
        size_t length = strcspn(at, " ");

        snprintf(words[count], sizeof(words[count]), "%s%.*s",
                 *at == '@' ? directory : "",
                 (int)(length - (*at == '@' ? 1 : 0)),
                 at + (*at == '@' ? 1 : 0));
        argv[count] = words[count];
        at += length + (at[length] == ' ' ? 1 : 0);
    }
    fflush(stdout);
    for (int i = 1; i < 3; i++)
        dup2(outputs[i], i);
    status = ctl_run(count, argv);
    fflush(stdout);
    for (int i = 1; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    if (server)
        waitpid(server, NULL, 0);
    take(outputs[0], asked, sizeof(asked));
    take(outputs[1], output, sizeof(output));
    take(outputs[2], errors, sizeof(errors));
    return status;
}

static void assert_printed(const char *to_stdout, const char *to_stderr) {
    assert_string_equal(output, to_stdout);
    assert_string_equal(errors, to_stderr);
}

static void asks_and_says_what_nerve_answers(void **state) {
    (void)state;
    assert_int_equal(run("-s @/socket enable web",
                         "{\"result\": \"done\", \"message\": \"web: ok\"}\n"),
                     0);
    assert_printed("web: ok\n", "");
    assert_string_equal(asked,
                        "{\"command\":\"enable\",\"service\":\"web\"}\n");
    assert_int_equal(
        run("-s @/socket enable web",
            "{\"result\": \"failed\", \"message\": \"web: no\"}\n"),
        1);
    assert_printed("", "nerve ctl: web: no\n");
    assert_int_equal(
        run("-s @/socket enable web",
            "{\"result\": \"pending\", \"message\": \"web: later\"}\n"),
        3);
    assert_printed("", "nerve ctl: web: later\n");
    assert_int_equal(run("-s @/socket enable web", "{}\n"), 1);
    assert_printed("", "");
}

#define STATUS                                                                 \
    "{\"result\": \"done\", \"status\": {\"services\": [{\"name\": "           \
    "\"web\", \"host\": \"h\", \"port\": \"80\", \"state\": \"up\", "          \
    "\"connected\": true, \"settled\": true, \"registered\": \"/web/i\", "     \
    "\"published\": {}}]}}\n"

static void shows_the_status_to_people_and_to_programs(void **state) {
    (void)state;
    assert_int_equal(run("-s @/socket status", STATUS), 0);
    assert_printed("SERVICE  ADDRESS  CHECKS  WEIGHT  REGISTRATION\n"
                   "web      h:80     up      -       /web/i\n",
                   "");
    assert_int_equal(run("-s @/socket status --json", STATUS), 0);
    assert_int_equal(strncmp(output, "{\n  \"services\": [", 17), 0);
    assert_int_equal(
        run("-s @/socket dump", "{\"result\": \"done\", \"dump\": {\"a\": 1}}"),
        0);
    assert_printed("{\n  \"a\": 1\n}\n", "");
}

/* Longer than what one read takes. */
static void reads_an_answer_of_any_length(void **state) {
    static char answer[20100];

    (void)state;
    snprintf(answer, sizeof(answer),
             "{\"result\": \"done\", \"message\":%20000s\"end\"}", "");
    assert_int_equal(run("-s @/socket status", answer), 0);
    assert_printed("end\n", "");
}

static void finds_the_socket_in_a_configuration(void **state) {
    FILE *file = fopen(config_path, "w");
    char wanted[200];

    (void)state;
    fprintf(file, "{\"control_socket\": \"%s\"}", path);
    fclose(file);
    assert_int_equal(run("-c @/nerve.json enable web",
                         "{\"result\": \"done\", \"message\": \"ok\"}"),
                     0);
    assert_printed("ok\n", "");
    file = fopen(config_path, "w");
    fputs("{}", file);
    fclose(file);
    assert_int_equal(run("-c @/nerve.json enable web", NULL), 1);
    snprintf(wanted, sizeof(wanted),
             "nerve ctl: %s: control_socket: missing; this nerve cannot be "
             "asked\n",
             config_path);
    assert_printed("", wanted);
    unlink(config_path);
    assert_int_equal(run("-c @/nerve.json enable web", NULL), 1);
    assert_non_null(strstr(errors, "No such file or directory"));
}

static void says_why_there_is_no_answer(void **state) {
    char wanted[200];

    (void)state;
    assert_int_equal(run("-s @/socket status", NULL), 1);
    snprintf(wanted, sizeof(wanted),
             "nerve ctl: %s: No such file or directory; no nerve listens "
             "there\n",
             path);
    assert_printed("", wanted);
    assert_int_equal(run("-s @/socket status", ""), 1);
    assert_printed("", "nerve ctl: nerve has ended, or was upgraded, before it "
                       "answered; what is disabled stays so: see nerve ctl "
                       "status\n");
    assert_int_equal(run("-s @/socket status", unread), 1);
    assert_printed("", "nerve ctl: no answer: Connection reset by peer\n");
    assert_int_equal(run("-s @/socket status", "no JSON"), 1);
    assert_string_equal(output, "");
    assert_int_equal(strncmp(errors, "nerve ctl: ", 11), 0);
}

static void says_what_is_wrong_with_the_command_line(void **state) {
    char wanted[5000];

    (void)state;
    assert_int_equal(run("--help", NULL), 0);
    assert_printed(ctl_options_help(), "");
    assert_int_equal(run("stauts", NULL), 2);
    assert_printed("", "nerve ctl: stauts is not a command; did you mean "
                       "\"status\"?\n");
    assert_int_equal(run("begin", NULL), 2);
    snprintf(wanted, sizeof(wanted), "nerve ctl: begin is not a command\n%s",
             ctl_options_help());
    assert_printed("", wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_line_becomes_a_request),
        cmocka_unit_test(the_socket_is_given_or_is_in_a_configuration),
        cmocka_unit_test(without_either_the_socket_of_the_package_is_asked),
        cmocka_unit_test(an_answer_may_take_as_long_as_was_asked_for),
        cmocka_unit_test(what_may_be_meant_is_named),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(help_is_for_every_command),
        TEST(asks_and_says_what_nerve_answers),
        TEST(shows_the_status_to_people_and_to_programs),
        TEST(reads_an_answer_of_any_length),
        TEST(finds_the_socket_in_a_configuration),
        TEST(says_why_there_is_no_answer),
        TEST(says_what_is_wrong_with_the_command_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
