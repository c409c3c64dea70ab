/* SPDX-License-Identifier: Apache-2.0 */
#include "control_state.h"
#include "base/log.h"
#include "base/state_file.h"

#include <string.h>

void control_state_look(const struct config *c, const struct config *before)
{
    struct err e;

    if (!c->state_dir ||
        (before && before->state_dir && strcmp(before->state_dir, c->state_dir) == 0))
        return;
    if (state_directory_check(c->state_dir, &e) < 0)
        log_warn("control", "state_dir %s: %s; nothing will be kept over a restart", c->state_dir,
                 e.text);
}
