/* health_page.c - whether ZooKeeper has what the checks have found
 * SPDX-License-Identifier: MIT
 */
#include "nerve/observe/health_page.h"
#include "csrc/base/text.h"
#include "nerve/config/read.h"
#include "nerve/register/reporter.h"
#include "nerve/services/service.h"
#include "nerve/services/services.h"
#include "nerve/services/watcher.h"

const char *health_trouble(enum health_state state, bool connected,
                           bool registered, bool settled) {
    if (state == HEALTH_UNKNOWN)
        return "not checked yet";
    if (!connected)
        return "ZooKeeper is out of reach";
    if (settled)
        return NULL;
    if (state == HEALTH_UP)
        return registered ? "the registration is being changed"
                          : "up, but not registered";
    return registered ? "down, but still registered"
                      : "down; not known whether it is registered";
}

static const char *trouble_of(const struct service *s) {
    return health_trouble(
        watcher_state(s->watcher), reporter_is_connected(s->reporter),
        reporter_is_registered(s->reporter), reporter_is_settled(s->reporter));
}

/* A name is one line, whatever is in it. */
static void add_trouble(struct text *t, const char *name, const char *trouble) {
    for (; *name; name++) {
        bool control = (unsigned char)*name < 0x20 || *name == 0x7f;

        text_add(t, control ? "?" : name, 1);
    }
    text_printf(t, ": %s\n", trouble);
}

struct web_page health_page(const struct roster *r) {
    struct text t = {0};
    size_t count = 0;
    const struct service *s;
    unsigned int status;

    for (size_t i = 0; (s = roster_service(r, i)); i++) {
        const char *trouble = service_is_current(s) ? trouble_of(s) : NULL;

        count += service_is_current(s);
        if (trouble)
            add_trouble(&t, s->config->name, trouble);
    }
    status = t.length ? 503 : 200;
    if (t.length == 0)
        text_printf(&t, "ok, %zu service%s\n", count, count == 1 ? "" : "s");
    return (struct web_page){status, "text/plain; charset=utf-8",
                             text_take(&t)};
}
