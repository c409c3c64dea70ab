/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* text.h - JSON of what others say: names and texts may hold any bytes. */
#include <jansson.h>
#include <stdint.h>

/* A JSON string of anything: bytes that are no UTF-8 become '?'. NULL gives null. */
json_t *json_text(const char *s);
/* The same as JSON text, in quotes. Free with free(). */
char *json_quoted(const char *s);
/* RFC 3339; null for 0. */
json_t *json_wall_time(int64_t wall_ms);
