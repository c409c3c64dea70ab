/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* finish.h - where a request that is over is counted and logged. */
#include "proxy/exchange.h"

/* Statistics of the service and the access log line. Once for each request. */
void finish_report(struct exchange *x);
