/* fake_haproxy.c - HAProxy's side of a channel: "sockpair@<fd>"
 *
 * Included by a test.
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union fake_rights {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

/* Takes the connection that the other side opened over <fd>, as a listener
 * does. Returns a descriptor, or -1. */
static inline int fake_haproxy_accept(int fd) {
    union fake_rights rights = {.space = {0}};
    char byte;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = rights.space,
                             .msg_controllen = sizeof(rights.space)};
    int got;

    if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1 ||
        !CMSG_FIRSTHDR(&message))
        return -1;
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
    return got;
}

/* Connects over <fd>, as core.tcp():connect() does: two bytes go with the
 * descriptor. Returns HAProxy's own end, or -1. */
static inline int fake_haproxy_connect(int fd) {
    union fake_rights rights = {.space = {0}};
    char bytes[2] = {0};
    struct iovec data = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = rights.space,
                             .msg_controllen = sizeof(rights.space)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
        return -1;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &pair[1], sizeof(int));
    if (sendmsg(fd, &message, MSG_NOSIGNAL) != sizeof(bytes)) {
        close(pair[0]);
        pair[0] = -1;
    }
    close(pair[1]);
    return pair[0];
}
