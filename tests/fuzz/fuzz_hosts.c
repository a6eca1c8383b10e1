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
    const char *chroot = hosts + strcspn(hosts, "/");
    size_t length = strlen(chroot);

    /* A slash at its end names the same chroot, which has none there. */
    while (length > 0 && chroot[length - 1] == '/')
        length--;
    assert(strcspn(copy, "[]") >= strcspn(copy, "/"));
    assert(strlen(copy + strcspn(copy, "/")) == length);
    assert(strncmp(copy + strcspn(copy, "/"), chroot, length) == 0);
    check_rotation(copy);
    free(copy);
    free(hosts);
    return 0;
}
