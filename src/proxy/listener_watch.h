/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* listener_watch.h - the files of a listener's TLS, looked at every 2 s: what has changed is read
 * again, and new connections get it; those that are there go on with what they have.
 *
 * Looked at is what a path leads to (device, inode, size, time), so renames and switched symlinks
 * (certbot, Kubernetes) count as much as writing. Half of a pair that is being replaced cannot be
 * used: the one from before stays in force, and the next look tries again. Control thread. */
#include "proxy/listener_settings.h"

struct listener_watch {
    uint64_t refused_look; /* how the files looked when they could not be used; 0 = they could */
    unsigned looks;        /* since then */
    char problem[512];     /* "" = what the files hold is in force */
    uint64_t warned_ns;    /* when certificates that end soon were last complained of; 0 = never */
    bool told_of_staple;   /* that one in force has expired */
};

/* Settings to take the place of `s`, or NULL: there is nothing new. */
struct listener_settings *listener_watch_look(struct listener_watch *w,
                                              struct listener_settings *s);
/* Warns of certificates and responses that end soon or have ended: the first time, then daily. */
void listener_watch_warn(struct listener_watch *w, const struct listener_settings *s,
                         uint64_t now_ns, int64_t now_wall_s);
