/* SPDX-License-Identifier: Apache-2.0 */
#include "coding/coding.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

enum { PIECE = 16 * 1024, GZIP_ONLY = 16, MAX_WINDOW_LOG = 23 };

static const char damaged[] = "is damaged", too_large[] = "is too large", cut[] = "ends too early",
                  goes_on[] = "goes on after its end";

static const char *add(struct bytes *out, const void *p, size_t n, size_t max)
{
    if (bytes_len(out) + n > max)
        return too_large;
    return bytes_add(out, p, n) ? NULL : too_large;
}

/* Several members one after the other are one text (RFC 1952 section 2.2). */
static const char *decode_gzip(struct str text, size_t max, struct bytes *out)
{
    z_stream z = {.next_in = (Bytef *)text.p, .avail_in = (uInt)text.n};
    unsigned char piece[PIECE];
    const char *why = NULL;
    int r = Z_OK;

    if (inflateInit2(&z, MAX_WBITS + GZIP_ONLY) != Z_OK)
        return too_large;
    while (!why && !(r == Z_STREAM_END && z.avail_in == 0)) {
        if (r == Z_STREAM_END && inflateReset(&z) != Z_OK)
            why = damaged;
        z.next_out = piece;
        z.avail_out = sizeof piece;
        r = inflate(&z, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END)
            why = r == Z_BUF_ERROR ? cut : damaged;
        else if (!why)
            why = add(out, piece, sizeof piece - z.avail_out, max);
    }
    inflateEnd(&z);
    return why;
}

static const char *decode_br(struct str text, size_t max, struct bytes *out)
{
    BrotliDecoderState *d = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    const uint8_t *in = (const uint8_t *)text.p;
    size_t left = text.n, room = 0;
    const char *why = d ? NULL : too_large;
    BrotliDecoderResult r = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;

    while (!why && r == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
        size_t made = 0;
        const uint8_t *piece;

        r = BrotliDecoderDecompressStream(d, &left, &in, &room, NULL, NULL);
        piece = BrotliDecoderTakeOutput(d, &made);
        why = add(out, piece, made, max);
    }
    if (!why && r == BROTLI_DECODER_RESULT_ERROR)
        why = damaged;
    if (!why && r == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT)
        why = cut;
    if (!why && left > 0)
        why = goes_on;
    BrotliDecoderDestroyInstance(d);
    return why;
}

/* A window beyond 8 MiB need not be supported (RFC 8878 section 3.1.1.1.2). */
static const char *decode_zstd(struct str text, size_t max, struct bytes *out)
{
    ZSTD_DCtx *d = ZSTD_createDCtx();
    ZSTD_inBuffer in = {text.p, text.n, 0};
    char piece[PIECE];
    const char *why = d ? NULL : too_large;
    size_t more = 1;

    if (d && ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, MAX_WINDOW_LOG)))
        why = damaged;
    while (!why && (in.pos < in.size || more > 0)) {
        ZSTD_outBuffer to = {piece, sizeof piece, 0};

        more = ZSTD_decompressStream(d, &to, &in);
        why = ZSTD_isError(more) ? damaged : add(out, piece, to.pos, max);
        if (!why && more > 0 && to.pos < to.size && in.pos == in.size)
            why = cut;
    }
    ZSTD_freeDCtx(d);
    return why;
}

bool coding_decode(enum coding c, struct str text, size_t max, struct bytes *out,
                   const char **ret_why)
{
    switch (c) {
    case CODING_GZIP:
        *ret_why = decode_gzip(text, max, out);
        break;
    case CODING_BR:
        *ret_why = decode_br(text, max, out);
        break;
    case CODING_ZSTD:
        *ret_why = decode_zstd(text, max, out);
        break;
    case CODING_IDENTITY:
        *ret_why = add(out, text.p, text.n, max);
        break;
    case CODINGS:
        *ret_why = "is in a coding that is not known";
        break;
    }
    return *ret_why == NULL;
}
