/* fuzz_handover.c - fuzz of nerve/process/handover.c
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "nerve/process/handover.h"
#include "nerve/register/ensemble.h"
#include "nerve/services/hold.h"
#include "nerve/services/services.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns what <h> says as text, owned by the caller. */
static char *write_again(const struct handover *h) {
    struct json_t *all = handover_begin();
    const struct holds none = {0};
    char *text;

    assert(handover_add_holds(all, &none) == 0);
    for (size_t i = 0; i < h->session_count; i++)
        assert(handover_add_session(all, &h->sessions[i]) == 0);
    for (size_t i = 0; i < h->service_count; i++)
        assert(handover_add_service(all, &h->services[i]) == 0);
    text = handover_text(all);
    handover_end(all);
    return text;
}

/* What is read can be written, and is read as the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {0};
    struct handover *h = handover_read((const char *)data, size, &err);
    char *once, *twice;

    assert((h == NULL) == (err.text[0] != '\0'));
    if (!h)
        return 0;
    once = write_again(h);
    handover_free(h);
    h = handover_read(once, strlen(once), &err);
    assert(h);
    twice = write_again(h);
    assert(strcmp(once, twice) == 0);
    handover_free(h);
    free(twice);
    free(once);
    return 0;
}
