/* main.c - nerve: checks services and registers those that are up
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csrc/base/error.h"
#include "nerve/checks/curl_loop.h"
#include "nerve/config/model.h"
#include "nerve/config/read.h"
#include "nerve/daemon.h"
#include "nerve/log.h"
#include "nerve/operator/ctl.h"
#include "nerve/options.h"
#include "nerve/process/handover.h"
#include "nerve/process/upgrade.h"
#include "nerve/signals.h"

#define EXIT_USAGE 2
#define FLUSH_MS   100

static void print_notes(const struct notes *notes) {
    static const char *const levels[] = {"error", "warning", "info", "debug"};

    for (size_t i = 0; i < notes->count; i++)
        fprintf(stderr, "%s %s\n", levels[notes->list[i].level],
                notes->list[i].text);
}

static int check(const struct options *options, const struct config *config) {
    print_notes(&config->notes);
    printf("%s: good, %zu service%s\n", options->config, config->service_count,
           config->service_count == 1 ? "" : "s");
    return EXIT_SUCCESS;
}

static void say_start(struct log *log, const struct config *config,
                      const struct handover *from, const struct error *err) {
    if (err->text[0] != '\0')
        log_line(log, LEVEL_WARNING, "upgraded, but %s: registering again",
                 err->text);
    log_line(log, LEVEL_INFO, "nerve " VERSION " %s as %s, %zu service%s",
             from ? "goes on" : "starts", config->instance_id,
             config->service_count, config->service_count == 1 ? "" : "s");
    for (size_t i = 0; i < config->notes.count; i++)
        log_line(log, config->notes.list[i].level, "%s",
                 config->notes.list[i].text);
}

/* Runs nerve with <config>, which it takes. */
static int run(const struct options *options, struct config *config) {
    struct error err = {0};
    struct handover *from = upgrade_receive(&err);
    struct log *log =
        log_new(STDERR_FILENO, getenv("DEBUG") ? LEVEL_DEBUG : LEVEL_INFO);
    int status;

    if (!log) {
        fputs("nerve: out of memory\n", stderr);
        handover_free(from);
        config_free(config);
        return EXIT_FAILURE;
    }
    say_start(log, config, from, &err);
    curl_loop_start_library();
    status = daemon_run(config, options, from, log);
    curl_loop_end_library();
    log_line(log, LEVEL_INFO, "stopped");
    if (log_flush(log, FLUSH_MS) != 0)
        _exit(status == 0 ? EXIT_SUCCESS : EXIT_FAILURE); /* stderr hangs */
    log_free(log);
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Does what the command line asks for, if it needs a configuration. */
static int use_config(const struct options *options) {
    struct notes notes = {0};
    struct error err = {0};
    struct config *config;
    int status;

    if (options->action != OPTIONS_CHECK)
        signals_hold(); /* a reload may have been asked for already */
    config = config_load(options->config, options->instance_id, &notes, &err);
    if (!config) {
        print_notes(&notes);
        notes_close(&notes);
        fprintf(stderr, "nerve: %s\n", err.text);
        return EXIT_FAILURE;
    }
    if (options->action == OPTIONS_CHECK) {
        status = check(options, config);
        config_free(config);
    } else {
        signal(SIGPIPE, SIG_IGN);
        status = run(options, config);
    }
    return status;
}

int main(int argc, char **argv) {
    struct options options;

    if (argc > 1 && strcmp(argv[1], "ctl") == 0)
        return ctl_run(argc - 1, argv + 1);
    options = options_read(argc, argv, getenv);
    switch (options.action) {
    case OPTIONS_HELP:
        fputs(options_help(), stdout);
        return EXIT_SUCCESS;
    case OPTIONS_VERSION:
        puts("nerve " VERSION);
        return EXIT_SUCCESS;
    case OPTIONS_WRONG:
        fprintf(stderr, "nerve: %s %s\n%s", options.wrong, options.problem,
                options_help());
        return EXIT_USAGE;
    default:
        return use_config(&options);
    }
}
