/* fuzz_resolve.c - fuzz of hosts_resolve(), without any name server
 *
 * Linked with --wrap=getaddrinfo: only numeric addresses resolve.
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <netdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "csrc/zookeeper/hosts.h"

int __real_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hints, struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hints, struct addrinfo **found);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hints, struct addrinfo **found) {
    struct addrinfo numeric = *hints;

    numeric.ai_flags |= AI_NUMERICHOST;
    return __real_getaddrinfo(host, service, &numeric, found);
}

/* Each server of a result ends in a port. */
static void check_servers(char *servers) {
    char *rest;

    for (char *one = strtok_r(servers, ",", &rest); one;
         one = strtok_r(NULL, ",", &rest)) {
        const char *colon = strrchr(one, ':');

        assert(colon && colon > one);
        assert(atoi(colon + 1) > 0 && atoi(colon + 1) < 65536);
        assert((*one == '[') == (strchr(one, ':') != colon));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {.text = ""};
    char *hosts = strndup((const char *)data, size);
    char *result = hosts_resolve(hosts, &err);
    const char *chroot = strchr(hosts, '/');

    if (result) {
        char *slash = strchr(result, '/');

        assert(strcmp(slash ? slash : "", chroot ? chroot : "") == 0);
        if (slash)
            *slash = '\0';
        assert(*result != '\0');
        check_servers(result);
    } else {
        assert(err.text[0] != '\0');
    }
    free(result);
    free(hosts);
    return 0;
}
