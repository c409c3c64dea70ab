/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* exchange_step.h - between exchange.c, which has the steps, and exchange_run.c, which runs them.
 */
#include "proxy/exchange.h"

/* Runs the step that the exchange is at, once. */
enum verdict exchange_step(struct exchange *x);
