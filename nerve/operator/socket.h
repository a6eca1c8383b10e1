/* socket.h - the Unix socket that one nerve alone listens on
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_SOCKET_H
#define NERVE_OPERATOR_SOCKET_H

#include <stddef.h>

#include <sys/types.h>

struct error;

struct control_socket {
    int fd;   /* bound, not listening; its mode is 0660 */
    int lock; /* of the file beside it, as long as it is open */
};

/* Makes the socket <path>. One that a dead nerve left behind is replaced; one
 * that lives is not. Returns 0, or -1 with <err>. Both descriptors are the
 * caller's, and close on exec. */
int control_socket_open(struct control_socket *s, const char *path,
                        struct error *err);

/* Finds who is connected to <fd>. Returns 0, or -1 with errno. */
int control_socket_peer(int fd, uid_t *uid);

/* Writes the name that /etc/passwd has for the user <uid> into <name>, or
 * else the number. No directory service is asked, because it may hang. */
void control_socket_user(uid_t uid, char *name, size_t size);

/* Connects to the socket <path>. Returns the descriptor, the caller's, or -1
 * with <err>. Blocks. */
int control_socket_connect(const char *path, struct error *err);

#endif
