/* ctl.c - nerve ctl: asks a nerve, over its control socket
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "csrc/base/clock.h"
#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/process.h"
#include "nerve/config/read.h"
#include "nerve/operator/ctl.h"
#include "nerve/operator/ctl_options.h"
#include "nerve/operator/socket.h"
#include "nerve/operator/status_text.h"

enum { STATUS_DONE = 0, STATUS_FAILED, STATUS_USAGE, STATUS_PENDING };

/* Returns the path of the socket, owned by the caller, or NULL with <err>. */
static char *socket_path(const struct ctl_options *options, struct error *err) {
    struct error inner = {0};
    char *path = NULL;
    json_t *json;

    if (options->socket)
        return strdup(options->socket);
    json = config_file_read(options->config, &inner);
    if (json && config_control_socket(json, &path, &inner) == 0 && !path)
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

static void print_status(const json_t *status, bool as_json) {
    char *text = as_json ? NULL : status_text(status, clock_wall_ms());

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
        fprintf(stderr, "nerve ctl: %s %s\n%s", options.wrong, options.problem,
                ctl_options_help());
        status = STATUS_USAGE;
        break;
    default:
        status = run(&options);
    }
    json_decref(options.request);
    return status;
}
