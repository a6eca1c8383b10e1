/* fuzz_control.c - fuzz of the control socket's requests, and of kept holds: a
 * mistake is named, and what is taken is within its bounds
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/operator/command.h"
#include "nerve/operator/duration.h"
#include "nerve/services/hold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_command(const struct control_command *command) {
    bool named =
        command->kind != CONTROL_STATUS && command->kind != CONTROL_DUMP;

    assert(command->kind <= CONTROL_FAIL);
    assert(named == (command->service != NULL));
    assert(!named || command->service[0] != '\0');
    assert(command->kind != CONTROL_DISABLE || command->reason);
    assert(!command->reason || strpbrk(command->reason, "\r\n\t") == NULL);
    assert(command->kind != CONTROL_WEIGHT || command->weight >= 0);
    assert(command->for_ms >= 0 && command->for_ms <= DURATION_MAX_MS);
    assert(command->drain_ms <= HOLD_DRAIN_MAX_MS);
}

/* What is kept is read again, and is then kept the same. */
static void check_holds(const struct holds *holds) {
    struct holds again = {0};
    char *text = holds_encode(holds), *second;

    assert(text && holds_decode(&again, text, strlen(text), NULL) == 0);
    assert(again.count == holds->count);
    second = holds_encode(&again);
    assert(second && strcmp(text, second) == 0);
    free(second);
    free(text);
    holds_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct error err = {.text = ""}, kept = {.text = ""};
    struct control_command command;
    struct holds holds = {0};
    bool good = control_command_read(&command, text, size, &err) == 0;

    assert(good == (err.text[0] == '\0'));
    if (good)
        check_command(&command);
    control_command_close(&command);
    if (holds_decode(&holds, text, size, &kept) == 0)
        check_holds(&holds);
    else
        assert(kept.text[0] != '\0' && holds.count == 0);
    holds_close(&holds);
    return 0;
}
