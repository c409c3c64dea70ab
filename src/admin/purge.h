/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* purge.h - PUT /v1/cache/purge: forgets stored answers. No sockets; who may do this is judged
 * before (admin.c). */
#include "admin/write.h"

#define PAGES_PURGE "/v1/cache/purge"

void purge_answer(const struct look *l, const struct write_request *q, struct page_answer *ret);
