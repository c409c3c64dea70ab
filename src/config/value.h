/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* value.h - the small languages inside configuration values. Pure functions.
 *
 * The *_problem() functions return NULL when the text is fine, else what is wrong with it, as the
 * end of a sentence that began with the key. */
#include "base/arena.h"
#include "base/macros.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

/* Whole text, digits only. */
bool value_unsigned(const char *text, uint64_t *ret_value) MUST_CHECK;
/* "250ms" "3s" "1m" "2h" "0" -> milliseconds. */
bool value_duration(const char *text, uint64_t *ret_ms) MUST_CHECK;
/* "4096" "64k" "1m" "2g" (1024-based) -> bytes. */
bool value_size(const char *text, uint64_t *ret_bytes) MUST_CHECK;
/* "host:port", "[v6]:port", ":port" (host ""); the host gets into the arena without brackets. A
 * port is 1-65535. */
bool value_address(struct arena *a, const char *text, const char **ret_host,
                   uint16_t *ret_port) MUST_CHECK;
bool value_is_ip(const char *host);
const char *value_cidr_problem(const char *text, struct cidr *ret_cidr);

/* RFC 9110 section 5.6.2. */
bool value_is_token(const char *text);
/* A header name that may be set or removed: a token, and no field that frames the message or
 * belongs to the connection. */
const char *value_header_problem(const char *name);
const char *value_header_value_problem(const char *text);
/* A prefix of keys in Consul's KV store, with a slash at its end or without. */
const char *value_keys_problem(const char *text);
const char *value_file_problem(const char *text);
const char *value_name_problem(const char *text);
/* Route hosts: "shop.example", "*.shop.example:8443", "a*.shop.example", "[::1]", "". */
const char *value_host_problem(const char *text);
/* Sent as Host: an authority without wildcard, or "dst". */
const char *value_authority_problem(const char *text);
/* An absolute path in normal form, as requests are matched: literal. */
const char *value_path_problem(const char *text);

/* A path pattern: a parameter {name} is a whole segment, {name...} the rest of the path. */
enum { VALUE_MAX_PARAMS = 8 };
struct value_params {
    unsigned n;
    struct str names[VALUE_MAX_PARAMS]; /* slices of the pattern */
};
const char *value_pattern_problem(const char *text, struct value_params *ret_params);
/* A text that refers to parameters: every {name} in it must be one of `params`. */
const char *value_template_problem(const char *text, const struct value_params *params);
const char *value_regex_problem(const char *text);
/* A realm of HTTP authentication, as it goes between quotes. */
const char *value_realm_problem(const char *text);
