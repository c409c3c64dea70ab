/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_lines.h - lines of a head that the gateway has written, as fields of HTTP/2. Pure. */
#include "base/macros.h"
#include "base/str.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>

nghttp2_nv h2_field(struct str name, struct str value);
/* Cuts the next line off, without its end; false when there is none, or an empty one. */
bool h2_next_line(char **at, char *end, struct str *ret);
/* "Name: value": the name is made lower case in place. */
bool h2_split_line(struct str line, struct str *ret_name, struct str *ret_value);
/* Does it belong to a connection of HTTP/1.1 (RFC 9113 section 8.2.2)? */
bool h2_is_of_connection(struct str name, struct str value);
