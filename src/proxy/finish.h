/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* finish.h - where a request that is over is counted and logged. */
#include "proxy/exchange.h"

/* Statistics of the service and the access log line. Once for each request. */
void finish_report(struct exchange *x);
/* The request leaves x->service for another one (fallback.h): counts x->hedge, which must be there.
 */
void finish_count_hedge(struct exchange *x);
/* The same for a service that stood in and failed too: its outcome. */
void finish_count_stand_in(struct exchange *x);
