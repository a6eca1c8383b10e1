/* ctl.c - nerve ctl: asks a nerve, over its control socket
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "csrc/base/clock.h"
#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"
#include "nerve/config/reader.h"
#include "nerve/config/value.h"
#include "nerve/operator/command.h"
#include "nerve/operator/ctl.h"
#include "nerve/operator/duration.h"
#include "nerve/operator/socket.h"
#include "nerve/operator/status_text.h"

#define GRACE_MS   30000 /* for an answer, beyond the times that were given */
#define FLAGS_MAX  4
#define DIGITS_MAX 18

static const char help[] =
    "usage: nerve ctl [-s SOCKET | -c FILE] COMMAND\n"
    "\n"
    "Sends a command to the nerve that listens on SOCKET, or on the\n"
    "control_socket of the configuration FILE (or NERVE_CONFIG), or on\n"
    "" CTL_SOCKET ".\n"
    "\n"
    "  status [--json]         shows the services and what operators did\n"
    "  disable SERVICE --reason TEXT [--for TIME] [--drain TIME]\n"
    "                          publishes weight 0 for the drain time (20s),\n"
    "                          then removes the registration; ends after the\n"
    "                          time of --for, or with `enable`\n"
    "  enable SERVICE          returns to the configuration\n"
    "  weight SERVICE N [--reason TEXT] [--for TIME]\n"
    "                          publishes another weight\n"
    "  wait SERVICE --up|--down [--timeout TIME]\n"
    "                          waits (60s) until it is registered, or is not\n"
    "  pass SERVICE            reports that it is well, for its push check\n"
    "  fail SERVICE [--reason TEXT]\n"
    "                          reports that it is not, until it is passed\n"
    "  dump                    prints what a bug report needs, no secrets\n"
    "\n"
    "TIME: 90, 500ms, 20s, 30m, 2h, 7d. Exit status: 0 done, and confirmed by\n"
    "ZooKeeper; 1 failed; 2 the command line is wrong; 3 accepted, but not\n"
    "confirmed yet: nerve carries it out later.\n";

enum kind { KIND_TEXT = 0, KIND_TIME, KIND_YES, KIND_NO, KIND_JSON };

/* An option, and what it is in a request. */
struct flag {
    const char *name;
    const char *key;
    enum kind kind;
};

static const struct flag reason = {"--reason", "reason", KIND_TEXT};
static const struct flag for_time = {"--for", "for_ms", KIND_TIME};
static const struct flag drain = {"--drain", "drain_ms", KIND_TIME};
static const struct flag timeout = {"--timeout", "timeout_ms", KIND_TIME};
static const struct flag up = {"--up", "up", KIND_YES};
static const struct flag down = {"--down", "up", KIND_NO};
static const struct flag show_json = {"--json", NULL, KIND_JSON};

static const struct command {
    const char *name;
    int words; /* behind it: none, a service, a service and a weight */
    const struct flag *flags[FLAGS_MAX];
    const char *needed; /* the key that must be there, or NULL */
    const char *missing;
} commands[] = {
    {"status", 0, {&show_json}, NULL, NULL},
    {"disable", 1, {&reason, &for_time, &drain}, "reason", "--reason TEXT"},
    {"enable", 1, {NULL}, NULL, NULL},
    {"weight", 2, {&reason, &for_time}, NULL, NULL},
    {"wait", 1, {&up, &down, &timeout}, "up", "--up or --down"},
    {"pass", 1, {NULL}, NULL, NULL},
    {"fail", 1, {&reason}, NULL, NULL},
    {"dump", 0, {NULL}, NULL, NULL},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* What has been read of the command line. */
struct reading {
    struct ctl_options options;
    const struct command *command;
    int words;
    char **argv;
    int count;
    int index;
};

static void set_wrong(struct reading *r, const char *argument,
                      const char *problem) {
    r->options.action = CTL_WRONG;
    r->options.wrong = argument;
    r->options.problem = problem;
}

static void set(struct reading *r, const char *key, json_t *value) {
    if (json_object_set_new(r->options.request, key, value) != 0)
        set_wrong(r, key, "finds no memory");
}

/* Takes the value of the option at hand, or sets what is wrong. */
static const char *take_value(struct reading *r) {
    const char *name = r->argv[r->index];

    if (r->index + 1 < r->count)
        return r->argv[++r->index];
    set_wrong(r, name, "needs a value");
    return NULL;
}

static void read_time(struct reading *r, const char *key, const char *text) {
    int64_t ms;

    if (duration_read(text, &ms) != 0) {
        set_wrong(r, text, "is not a time such as 20s, 30m, 2h or 7d");
        return;
    }
    set(r, key, json_integer(ms));
    if (strcmp(key, "for_ms") != 0)
        r->options.patience_ms = ms + GRACE_MS;
}

static void read_flag(struct reading *r, const struct flag *flag) {
    const char *value = NULL;

    if ((flag->kind == KIND_TEXT || flag->kind == KIND_TIME) &&
        !(value = take_value(r)))
        return;
    switch (flag->kind) {
    case KIND_TEXT:
        set(r, flag->key, json_string(value));
        break;
    case KIND_TIME:
        read_time(r, flag->key, value);
        break;
    case KIND_YES:
    case KIND_NO:
        set(r, flag->key, json_boolean(flag->kind == KIND_YES));
        break;
    case KIND_JSON:
        r->options.json = true;
        break;
    }
}

/* What is wrong may be meant to be <name>, unless something nearer was found.
 */
static void suggest(struct reading *r, const char *name) {
    const char *wrong = r->options.wrong, *meant = r->options.meant;
    size_t distance = nearest_distance(name, wrong);

    if (distance <= nearest_limit(wrong) &&
        (!meant || distance < nearest_distance(meant, wrong)))
        r->options.meant = name;
}

/* Finds the option <name> of the command, or NULL. */
static const struct flag *find_flag(const struct command *command,
                                    const char *name) {
    for (size_t i = 0; command && i < FLAGS_MAX && command->flags[i]; i++)
        if (strcmp(command->flags[i]->name, name) == 0)
            return command->flags[i];
    return NULL;
}

static void read_command(struct reading *r, const char *word) {
    size_t i = 0;

    while (i < COMMANDS && strcmp(commands[i].name, word) != 0)
        i++;
    if (i == COMMANDS) {
        set_wrong(r, word, "is not a command");
        for (i = 0; i < COMMANDS; i++)
            suggest(r, commands[i].name);
        return;
    }
    r->command = &commands[i];
    set(r, "command", json_string(word));
}

static void read_weight(struct reading *r, const char *word) {
    size_t digits = strspn(word, "0123456789");

    if (digits == 0 || word[digits] || digits > DIGITS_MAX)
        set_wrong(r, word, "is not a weight (a whole number from 0)");
    else
        set(r, "weight", json_integer(strtoll(word, NULL, 10)));
}

static void read_word(struct reading *r, const char *word) {
    if (!r->command)
        read_command(r, word);
    else if (r->words >= r->command->words)
        set_wrong(r, word, "is one word too many");
    else if (r->words++ == 0)
        set(r, "service", json_string(word));
    else
        read_weight(r, word);
}

static void set_wrong_option(struct reading *r, const char *argument) {
    set_wrong(r, argument,
              r->command ? "is not an option of this command"
                         : "is not an option");
    for (size_t i = 0; r->command && i < FLAGS_MAX && r->command->flags[i]; i++)
        suggest(r, r->command->flags[i]->name);
    suggest(r, "--socket");
    suggest(r, "--config");
    suggest(r, "--help");
}

static void read_argument(struct reading *r) {
    const char *argument = r->argv[r->index];
    const struct flag *flag = find_flag(r->command, argument);

    if (flag)
        read_flag(r, flag);
    else if (strcmp(argument, "-s") == 0 || strcmp(argument, "--socket") == 0)
        r->options.socket = take_value(r);
    else if (strcmp(argument, "-c") == 0 || strcmp(argument, "--config") == 0)
        r->options.config = take_value(r);
    else if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0)
        r->options.action = CTL_HELP;
    else if (argument[0] == '-')
        set_wrong_option(r, argument);
    else
        read_word(r, argument);
}

/* Says what is not there and must be. */
static void check_complete(struct reading *r) {
    const struct command *command = r->command;

    if (!command)
        set_wrong(r, "COMMAND", "is missing");
    else if (r->words < command->words)
        set_wrong(r, r->words == 0 ? "SERVICE" : "N", "is missing");
    else if (command->needed &&
             !json_object_get(r->options.request, command->needed))
        set_wrong(r, command->missing, "is missing");
    else if (!r->options.socket && !r->options.config)
        r->options.socket = CTL_SOCKET;
}

struct ctl_options ctl_options_read(int argc, char **argv,
                                    char *(*getenv_fn)(const char *name)) {
    struct reading r = {.options = {.config = getenv_fn("NERVE_CONFIG"),
                                    .request = json_object(),
                                    .patience_ms = CONTROL_WAIT_MS + GRACE_MS},
                        .argv = argv,
                        .count = argc,
                        .index = 1};

    for (; r.index < argc && r.options.action == CTL_ASK; r.index++)
        read_argument(&r);
    if (r.options.action == CTL_ASK)
        check_complete(&r);
    return r.options;
}

const char *ctl_options_help(void) { return help; }

enum { STATUS_DONE = 0, STATUS_FAILED, STATUS_USAGE, STATUS_PENDING };

/* Returns the path of the socket, owned by the caller, or NULL with <err>. */
static char *socket_path(const struct ctl_options *options, struct error *err) {
    struct error inner = {0};
    struct reader r = {.err = &inner};
    char *path = NULL;
    json_t *json;

    if (options->socket)
        return strdup(options->socket);
    json = config_file_read(options->config, &inner);
    if (json)
        value_string(&r, json, "control_socket", &path);
    if (!path)
        error_set(&inner,
                  "control_socket: missing; this nerve cannot be asked");
    json_decref(json);
    if (!path)
        error_set(err, "%s: %s", options->config, inner.text);
    return path;
}

static int send_request(int fd, const json_t *request) {
    struct text line = {0};
    char *json = json_dumps(request, JSON_COMPACT);
    size_t done = 0;
    ssize_t count = 0;

    if (json)
        text_printf(&line, "%s\n", json);
    free(json);
    while (count >= 0 && done < line.length) {
        count = write(fd, line.data + done, line.length - done);
        if (count > 0)
            done += (size_t)count;
    }
    text_close(&line);
    return count < 0 ? -1 : 0;
}

/* Reads until nerve closes the connection. Returns what came, owned by the
 * caller, or NULL with <err>. */
static char *read_answer(int fd, int64_t patience_ms, struct error *err) {
    struct timeval patience = {.tv_sec = patience_ms / 1000};
    struct text text = {0};
    char block[4096];
    ssize_t count;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    while ((count = read(fd, block, sizeof(block))) > 0)
        text_add(&text, block, (size_t)count);
    if (count < 0)
        error_set(err, "no answer: %s",
                  errno == EAGAIN ? "nerve does not turn" : strerror(errno));
    else if (text.length == 0)
        error_set(err, "nerve has ended, or was upgraded, before it answered; "
                       "what is disabled stays so: see nerve ctl status");
    else
        return text_take(&text);
    text_close(&text);
    return NULL;
}

/* Asks for what <options> say. Returns the answer, the caller's, or NULL with
 * <err>. */
static json_t *ask(const struct ctl_options *options, struct error *err) {
    char *path = socket_path(options, err), *text = NULL;
    int fd = path ? control_socket_connect(path, err) : -1;
    json_t *answer = NULL;

    if (fd != -1 && send_request(fd, options->request) != 0)
        error_set(err, "%s: %s", path, strerror(errno));
    else if (fd != -1)
        text = read_answer(fd, options->patience_ms, err);
    if (text)
        answer = config_text_read(text, strlen(text), err);
    if (fd != -1)
        close(fd);
    free(text);
    free(path);
    return answer;
}

static void print_json(const json_t *json) {
    char *text = json_dumps(json, JSON_INDENT(2));

    if (text)
        puts(text);
    free(text);
}

/* Returns how wide the terminal is that shows the output, or 0. */
static int terminal_width(void) {
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void print_status(const json_t *status, bool as_json) {
    char *text =
        as_json ? NULL : status_text(status, clock_wall_ms(), terminal_width());

    if (as_json)
        print_json(status);
    else if (text)
        fputs(text, stdout);
    free(text);
}

/* Shows <answer> and returns the exit status. */
static int show(const json_t *answer, bool as_json) {
    const char *result = json_string_value(json_object_get(answer, "result"));
    const char *text = json_string_value(json_object_get(answer, "message"));
    const json_t *status = json_object_get(answer, "status");
    const json_t *dump = json_object_get(answer, "dump");
    bool done = result && strcmp(result, "done") == 0;

    if (status)
        print_status(status, as_json);
    if (dump)
        print_json(dump);
    if (text)
        fprintf(done ? stdout : stderr, "%s%s\n",
                done ? "" : "nerve ctl: ", text);
    if (done)
        return STATUS_DONE;
    return result && strcmp(result, "pending") == 0 ? STATUS_PENDING
                                                    : STATUS_FAILED;
}

static int run(const struct ctl_options *options) {
    struct error err = {0};
    json_t *answer = ask(options, &err);
    int status = STATUS_FAILED;

    if (answer)
        status = show(answer, options->json);
    else
        fprintf(stderr, "nerve ctl: %s\n", err.text);
    json_decref(answer);
    return status;
}

int ctl_run(int argc, char **argv) {
    struct ctl_options options = ctl_options_read(argc, argv, getenv);
    int status = STATUS_DONE;

    signal(SIGPIPE, SIG_IGN);
    switch (options.action) {
    case CTL_HELP:
        fputs(ctl_options_help(), stdout);
        break;
    case CTL_WRONG:
        fprintf(stderr, "nerve ctl: %s %s", options.wrong, options.problem);
        if (options.meant)
            fprintf(stderr, "; did you mean \"%s\"?\n", options.meant);
        else
            fprintf(stderr, "\n%s", ctl_options_help());
        status = STATUS_USAGE;
        break;
    default:
        status = run(&options);
    }
    json_decref(options.request);
    return status;
}
