/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config_command.h - frontdesk config push|diff|pull: the configuration in Consul's KV store and a
 * folder of files. */

/* argv[0] is "config". Returns the exit status. */
int config_command(int argc, char **argv);
