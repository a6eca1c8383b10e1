/* reload.c - reads the configuration anew, without holding up the loop
 *
 *   read_config()   a thread of libuv's; it alone touches <config> and <err>
 *                   while <reading>
 *   all others      the loop's
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nerve/config/read.h"
#include "nerve/reload.h"

static void read_config(uv_work_t *work) {
    struct reload *r = work->data;

    r->config = config_load(r->path, r->instance_id, &r->err);
}

static void on_read(uv_work_t *work, int status) {
    struct reload *r = work->data;
    struct config *config = r->config;

    r->config = NULL;
    r->reading = false;
    if (status == 0 && !r->closed && !r->again) {
        r->done(r->arg, config, r->err.text);
        return;
    }
    config_free(config);
    if (!r->closed)
        reload_start(r);
}

void reload_start(struct reload *r) {
    r->again = r->reading;
    if (r->reading || r->closed)
        return;
    r->reading = true;
    r->work.data = r;
    memset(&r->err, 0, sizeof(r->err));
    uv_queue_work(r->loop, &r->work, read_config, on_read);
}

void reload_close(struct reload *r) {
    r->closed = true;
    if (r->reading)
        uv_cancel((uv_req_t *)&r->work);
}
