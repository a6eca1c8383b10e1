/* control.c - where nerve is controlled, read from JSON
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/un.h>

#include "csrc/base/error.h"
#include "nerve/config/control.h"
#include "nerve/config/value.h"

#define SOCKET_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

int config_control_socket(const json_t *json, char **path, struct error *err) {
    if (value_string(json, "", "control_socket", path, err) != 0)
        return -1;
    if (!*path || strlen(*path) <= SOCKET_MAX)
        return 0;
    error_set(err,
              "control_socket: longer than %zu bytes, which no path of a "
              "socket can be",
              SOCKET_MAX);
    return -1;
}

int config_holds_path(const json_t *json, bool needed, char **path,
                      struct error *err) {
    if (value_string(json, "", "holds_path", path, err) != 0)
        return -1;
    if (!*path && needed) {
        error_set(err, "holds_path: missing; with control_socket it must be a "
                       "file that keeps what is disabled over a restart");
        return -1;
    }
    if (!*path || (*path)[strlen(*path) - 1] != '/')
        return 0;
    return value_wrong(json_object_get(json, "holds_path"), "", "holds_path",
                       "a file's path (it ends with /)", err);
}
