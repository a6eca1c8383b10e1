/* push.h - what a service has said of itself, and for how long that counts
 *
 * A service reports again and again that it is well. If it is silent for its
 * ttl, it is down. A reported failure counts until the service reports that it
 * is well. Silence is counted in the time of `struct hearing`. Pure: no clock,
 * no I/O, no allocation.
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_CHECKS_PUSH_H
#define NERVE_CHECKS_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUSH_REASON_MAX 256 /* bytes */

/* The time in which this process could hear a report: its monotonic clock,
 * without the times in which its loop did not turn. Zeroed to start with. */
struct hearing {
    uint64_t turned_ms; /* by the monotonic clock; 0: not yet */
    uint64_t deaf_ms;   /* the times without turns, added up */
};

/* hearing_ms() is called at least this often while the loop turns. */
#define HEARING_TURN_MS 200

/* The loop turns at <now_ms>. Returns the time for hearing. */
uint64_t hearing_ms(struct hearing *h, uint64_t now_ms);

enum push_word { PUSH_NOTHING = 0, PUSH_PASS, PUSH_FAIL };

/* The last report; zeroed if there was none. All times below are those of
 * hearing_ms(). */
struct push_report {
    enum push_word word;
    uint64_t since_ms;                /* when the silence began */
    char reason[PUSH_REASON_MAX + 1]; /* of a PUSH_FAIL, or empty */
};

/* The service has reported <word>, and <reason> or NULL. */
void push_say(struct push_report *r, enum push_word word, const char *reason,
              uint64_t now_ms);

/* Returns how long the service has been silent. */
uint64_t push_silence(const struct push_report *r, uint64_t now_ms);

/* Tells whether the service is well. If it is not, <why>, unless NULL, says
 * why. */
bool push_is_well(const struct push_report *r, unsigned int ttl_ms,
                  uint64_t now_ms, char *why, size_t size);

#endif
