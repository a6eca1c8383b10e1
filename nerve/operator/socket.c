/* socket.c - the Unix socket that one nerve alone listens on
 *
 * The listening nerve locks <path>.lock. The kernel drops the lock when the
 * process exits, so an unlocked socket is stale. The lock file is never
 * removed: a lock on a removed file keeps nobody out.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/operator/socket.h"

#define SOCKET_MODE 0660
#define ENTRY_MAX   16384 /* bytes of a user's entry */

/* Says what is wrong with <path>. Returns -1. */
static int refuse(struct error *err, const char *path, const char *why) {
    error_set(err, "control_socket: %s: %s", path, why);
    return -1;
}

/* Says which process has the <lock>. Returns -1. */
static int refuse_second(struct error *err, const char *path, int lock) {
    struct flock holder = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char why[120];

    if (fcntl(lock, F_GETLK, &holder) != 0)
        holder.l_pid = 0;
    snprintf(why, sizeof(why),
             "another nerve (pid %d) listens there; stop it, or give "
             "this one another path",
             (int)holder.l_pid);
    return refuse(err, path, why);
}

/* Returns the locked descriptor, or -1 with <err>. */
static int open_lock(const char *path, struct error *err) {
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct text name = {0};
    char *file;
    int lock;

    text_printf(&name, "%s.lock", path);
    file = text_take(&name);
    lock =
        file ? open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (lock == -1)
        refuse(err, file ? file : path, strerror(errno));
    free(file);
    if (lock == -1 || fcntl(lock, F_SETLK, &all) == 0)
        return lock;
    if (errno == EAGAIN || errno == EACCES)
        refuse_second(err, path, lock);
    else
        refuse(err, path, strerror(errno));
    close(lock);
    return -1;
}

static int new_socket(void) {
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static struct sockaddr_un address_of(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    return address;
}

/* Tells whether any program listens at <address>. */
static bool is_alive(const struct sockaddr_un *address) {
    int fd = new_socket();
    bool alive;

    if (fd == -1)
        return true;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    alive =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
        errno != ECONNREFUSED;
    close(fd);
    return alive;
}

/* Removes the socket that a dead nerve has left. */
static int clear(const struct sockaddr_un *address, struct error *err) {
    const char *path = address->sun_path;
    struct stat about;

    if (lstat(path, &about) != 0)
        return errno == ENOENT ? 0 : refuse(err, path, strerror(errno));
    if (!S_ISSOCK(about.st_mode))
        return refuse(err, path, "is there, and is no socket");
    if (is_alive(address))
        return refuse(err, path, "another program listens there");
    return unlink(path) == 0 ? 0 : refuse(err, path, strerror(errno));
}

/* The socket is closed to others from the start, whatever the umask is. */
static int bind_to(int fd, const struct sockaddr_un *address) {
    if (fchmod(fd, SOCKET_MODE) != 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        return -1;
    return chmod(address->sun_path, SOCKET_MODE);
}

int control_socket_open(struct control_socket *s, const char *path,
                        struct error *err) {
    struct sockaddr_un address = address_of(path);

    s->lock = open_lock(path, err);
    if (s->lock == -1)
        return -1;
    s->fd = -1;
    if (clear(&address, err) == 0) {
        s->fd = new_socket();
        if (s->fd != -1 && bind_to(s->fd, &address) == 0)
            return 0;
        refuse(err, path, strerror(errno));
    }
    if (s->fd != -1)
        close(s->fd);
    close(s->lock);
    return -1;
}

int control_socket_peer(int fd, uid_t *uid) {
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return -1;
    *uid = peer.uid;
    return 0;
}

void control_socket_user(uid_t uid, char *name, size_t size) {
    FILE *file = fopen("/etc/passwd", "re");
    char entry[ENTRY_MAX];
    struct passwd user, *found = NULL;

    while (file && fgetpwent_r(file, &user, entry, sizeof(entry), &found) == 0)
        if (found->pw_uid == uid)
            break;
    if (file && found && found->pw_uid == uid)
        snprintf(name, size, "%s", found->pw_name);
    else
        snprintf(name, size, "uid %u", (unsigned int)uid);
    if (file)
        fclose(file);
}

int control_socket_connect(const char *path, struct error *err) {
    struct sockaddr_un address = address_of(path);
    int fd = new_socket();

    if (strlen(path) >= sizeof(address.sun_path))
        error_set(err, "%s: longer than %zu bytes", path,
                  sizeof(address.sun_path) - 1);
    else if (fd != -1 &&
             connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    else
        error_set(err, "%s: %s%s", path, strerror(errno),
                  errno == ENOENT || errno == ECONNREFUSED
                      ? "; no nerve listens there"
                      : "");
    if (fd != -1)
        close(fd);
    return -1;
}
