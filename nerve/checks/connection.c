/* connection.c - connections that all types of checks must recognize
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/socket.h>

#include "nerve/checks/check_type.h"

bool check_is_with_itself(int fd) {
    const struct linger none = {.l_onoff = 1};
    struct sockaddr_storage ours = {0}, theirs = {0};
    socklen_t length = sizeof(ours), other_length = sizeof(theirs);

    if (getsockname(fd, (struct sockaddr *)&ours, &length) != 0 ||
        getpeername(fd, (struct sockaddr *)&theirs, &other_length) != 0 ||
        memcmp(&ours, &theirs, sizeof(ours)) != 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    return true;
}
