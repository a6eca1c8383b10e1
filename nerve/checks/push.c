/* push.c - what a service has said of itself, and for how long that counts
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "nerve/checks/push.h"

#define GRAIN_MS 50 /* a timer may be this late while the process runs */

uint64_t hearing_ms(struct hearing *h, uint64_t now_ms) {
    uint64_t gap_ms = h->turned_ms ? now_ms - h->turned_ms : 0;

    if (gap_ms > HEARING_TURN_MS + GRAIN_MS)
        h->deaf_ms += gap_ms - HEARING_TURN_MS;
    h->turned_ms = now_ms;
    return now_ms - h->deaf_ms;
}

void push_say(struct push_report *r, enum push_word word, const char *reason,
              uint64_t now_ms) {
    r->word = word;
    r->since_ms = now_ms;
    snprintf(r->reason, sizeof(r->reason), "%s", reason ? reason : "");
}

uint64_t push_silence(const struct push_report *r, uint64_t now_ms) {
    return now_ms > r->since_ms ? now_ms - r->since_ms : 0;
}

bool push_is_well(const struct push_report *r, unsigned int ttl_ms,
                  uint64_t now_ms, char *why, size_t size) {
    if (r->word == PUSH_PASS && push_silence(r, now_ms) <= ttl_ms)
        return true;
    if (!why)
        return false;
    if (r->word == PUSH_NOTHING)
        snprintf(why, size, "no report yet");
    else if (r->word == PUSH_PASS)
        snprintf(why, size, "no report within %u ms", ttl_ms);
    else
        snprintf(why, size, "it says that it fails%s%s",
                 r->reason[0] ? ": " : "", r->reason);
    return false;
}
