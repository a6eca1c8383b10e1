/* fuzz_exposition.c - fuzz of names that others chose in what nerve tells: a
 * sample and a datagram stay one line with the labels they were given
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/text.h"
#include "nerve/measure/prometheus.h"
#include "nerve/measure/statsd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads a label's value from <at>, behind its first quote. Returns what is
 * behind its last one. */
static const char *skip_value(const char *at) {
    for (; *at != '"'; at++) {
        assert(*at && *at != '\n');
        if (*at == '\\') {
            at++;
            assert(*at == '\\' || *at == '"' || *at == 'n');
        }
    }
    return at + 1;
}

static void check_sample(const char *name) {
    const struct label labels[] = {{"a", name}, {"b", name}};
    struct text t = {0};
    const char *at;

    exposition_sample(&t, "up", labels, 2, 7);
    assert(t.length < 1000);
    assert(strncmp(t.data, "up{a=\"", 6) == 0);
    at = skip_value(t.data + 6);
    assert(strncmp(at, ",b=\"", 4) == 0);
    at = skip_value(at + 4);
    assert(strcmp(at, "} 7\n") == 0);
    text_close(&t);
}

static size_t count(const char *text, size_t length, char byte) {
    size_t found = 0;

    for (size_t i = 0; i < length; i++)
        found += text[i] == byte;
    return found;
}

static size_t format(char *line, const char *type, ...) {
    va_list tags;
    size_t length;

    va_start(tags, type);
    length = statsd_line(line, "up", type, 1, tags);
    va_end(tags);
    return length;
}

static void check_datagram(const char *name) {
    char line[STATSD_LINE_MAX];
    size_t length = format(line, "c", "a", name, "b", name, NULL);

    assert(length > 0 && memcmp(line, "up:1|c|#a:", 10) == 0);
    assert(count(line, length, '|') == 2 && count(line, length, ',') == 1);
    assert(count(line, length, '#') == 1 && count(line, length, '\n') == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *name = strndup((const char *)data, size);

    check_sample(name);
    check_datagram(name);
    free(name);
    return 0;
}
