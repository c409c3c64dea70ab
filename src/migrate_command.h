/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* migrate_command.h - `frontdesk migrate`: reads a catalog, and says what the tags of fabio and
 * Traefik in it become. Needs no gateway. */

int migrate_command(int argc, char **argv);
