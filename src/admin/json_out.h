/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* json_out.h - JSON straight into a growing text: for the event stream, where building thousands of
 * jansson objects a second would cost more than the numbers in them. The caller keeps the syntax
 * right. */
#include <stddef.h>
#include <stdint.h>

struct json_out {
    char *p; /* owned; not NUL-terminated */
    size_t n, cap;
};

void json_out_release(struct json_out *o);
void json_out_raw(struct json_out *o, const char *text);
void json_out_number(struct json_out *o, uint64_t n);
/* n tenths as a decimal: 15 is 1.5, 20 is 2; below 0 is null. */
void json_out_tenths(struct json_out *o, int64_t n);
