/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control.h - the control thread: configuration, discovery, snapshots, admin endpoint, signals.
 *
 * It owns everything slow. Whenever the catalog or the configuration changes it builds a snapshot
 * and hands it to the workers; it never touches a request. */

/* Runs the gateway with the configuration of `dir` until SIGTERM or SIGINT. The process's exit
 * status. */
int control_run(const char *dir);
