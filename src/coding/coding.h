/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* coding.h - the content codings that the gateway can make and read: gzip (RFC 1952), br (RFC
 * 7932), zstd (RFC 8878), by their libraries. */
#include "base/bytes.h"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_BR, CODING_ZSTD, CODINGS };
enum coding_level { LEVEL_FAST, LEVEL_DEFAULT, LEVEL_BEST };

/* As in Content-Encoding. CODINGS when the word is none that is known. */
const char *coding_name(enum coding c);
enum coding coding_parse(struct str word);

/* Makes one coded stream. The memory of one is bounded: some 70 KiB (gzip), 600 KiB (br), 800 KiB
 * (zstd) at the default level. */
struct encoder;

enum encoder_step {
    ENCODER_MORE,  /* keep what makes the result smaller */
    ENCODER_FLUSH, /* let out all that there is */
    ENCODER_END
};

/* NULL when memory is out; identity has none. */
struct encoder *encoder_new(enum coding c, enum coding_level level) MUST_CHECK;
/* Adds to `out`. False: memory is out, and the stream is of no use any more. */
bool encoder_run(struct encoder *e, const void *p, size_t n, enum encoder_step step,
                 struct bytes *out) MUST_CHECK;
void encoder_free(struct encoder **e);

/* The whole of a coded text, which is up to `max` bytes decoded: what claims to be small and
 * becomes large is refused, and so is what goes on after its end. *ret_why: static text. */
bool coding_decode(enum coding c, struct str text, size_t max, struct bytes *out,
                   const char **ret_why) MUST_CHECK;
