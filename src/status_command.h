/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* status_command.h - `frontdesk status`: the admin endpoint's answers as a table for a terminal. */

/* `admin` is HOST:PORT; `service` NULL = all services in a line each, else one with its instances.
 * 0 = all is well, 1 = the gateway cannot be asked, 3 = something needs attention (a breaker that
 * is not closed, a service without an available instance, Consul away). */
int status_command(const char *admin, const char *service);
