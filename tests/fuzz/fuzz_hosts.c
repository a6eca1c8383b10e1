/* fuzz_hosts.c - fuzz of csrc/zookeeper/hosts.c
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/zookeeper/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_servers(const char *hosts) {
    size_t count = 1;

    for (; *hosts && *hosts != '/'; hosts++)
        count += *hosts == ',';
    return count;
}

/* As many turns as there are servers bring the first one back. */
static void check_rotation(char *hosts) {
    char *before = strdup(hosts);
    size_t turns = count_servers(hosts);

    for (size_t i = 0; i < turns; i++) {
        hosts_rotate(hosts);
        assert(strcmp(hosts + strcspn(hosts, "/"),
                      before + strcspn(before, "/")) == 0);
    }
    assert(strcmp(hosts, before) == 0);
    free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t kept = size < 300 ? size : 300;
    char *hosts = strndup((const char *)data, kept);
    char *copy = hosts_copy(hosts);
    const char *chroot = strchr(hosts, '/');

    assert(strcspn(copy, "[]") >= strcspn(copy, "/"));
    assert(strcmp(copy + strcspn(copy, "/"), chroot ? chroot : "") == 0);
    check_rotation(copy);
    free(copy);
    free(hosts);
    return 0;
}
