/* signals.c - the signals that nerve acts on
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>

#include "nerve/signals.h"

const int signals_numbers[SIGNALS_COUNT] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};

static void change(int how) {
    sigset_t set;

    sigemptyset(&set);
    for (int i = 0; i < SIGNALS_COUNT; i++)
        sigaddset(&set, signals_numbers[i]);
    pthread_sigmask(how, &set, NULL);
}

void signals_hold(void) { change(SIG_BLOCK); }

void signals_release(void) { change(SIG_UNBLOCK); }
