/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* batch.h - the answer of a route with `batch`: each request in it goes through the whole chain,
 * from the route table on, with the credentials of the batch itself. */
#include "proxy/composed.h"

/* NULL when memory is out. */
struct composed *batch_new(struct exchange *x) MUST_CHECK;
