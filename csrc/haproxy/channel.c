/* channel.c - the two private channels into HAProxy
 *
 * A channel is a socket pair over which descriptors travel as SCM_RIGHTS, the
 * way HAProxy's "sockpair@" family expects them: one byte of data, one
 * descriptor, one message for each connection.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "csrc/base/error.h"
#include "csrc/haproxy/channel.h"

struct channel {
    int ours;
    int theirs;
};

/* Room for the one descriptor of a message, aligned as cmsghdr wants it. */
union rights {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

static void close_open(int *fd) {
    if (*fd != -1)
        close(*fd);
    *fd = -1;
}

struct channel *channel_new(struct error *err) {
    struct channel *c = calloc(1, sizeof(*c));
    int pair[2];

    if (!c) {
        error_set(err, "channel: out of memory");
        return NULL;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
        error_set(err, "channel: socketpair: %s", strerror(errno));
        free(c);
        return NULL;
    }
    c->ours = pair[0];
    c->theirs = pair[1];
    return c;
}

void channel_free(struct channel *c) {
    if (!c)
        return;
    close_open(&c->ours);
    close_open(&c->theirs);
    free(c);
}

int channel_fd(const struct channel *c) { return c->theirs; }

/* HAProxy sends two bytes with each descriptor. If one of them stayed unread,
 * it would look like the next message, one without a descriptor. */
int channel_accept(struct channel *c) {
    union rights rights = {.space = {0}};
    char bytes[16];
    struct iovec data = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = rights.space,
                             .msg_controllen = sizeof(rights.space)};
    struct cmsghdr *header;
    int fd = -1;

    if (recvmsg(c->ours, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
        return -1;
    header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS) {
        errno = EPROTO;
        return -1;
    }
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

static int send_descriptor(int over, int fd) {
    union rights rights = {.space = {0}};
    char byte = 'f';
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = rights.space,
                             .msg_controllen = sizeof(rights.space)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    return sendmsg(over, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}

int channel_connect(struct channel *c) {
    int pair[2];
    int reason;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
        return -1;
    if (send_descriptor(c->ours, pair[1]) == 0) {
        close(pair[1]);
        return pair[0];
    }
    reason = errno;
    close(pair[0]);
    close(pair[1]);
    errno = reason;
    return -1;
}
