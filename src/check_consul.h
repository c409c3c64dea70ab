/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* check_consul.h - `frontdesk check --consul`: asks Consul as the gateway would, and says which
 * rights the token has, without a gateway that runs. */
#include "config/config.h"

/* Prints a table to standard output. 0 = all is there, else 1. */
int check_consul(const struct config *c);
