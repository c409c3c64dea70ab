/* SPDX-License-Identifier: Apache-2.0 */
#include "coding/coding.h"

#include <brotli/encode.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { PIECE = 16 * 1024, GZIP_FORMAT = 16, GZIP_WINDOW = 14, GZIP_MEMORY = 7, WINDOW_BITS = 17 };

struct encoder {
    enum coding coding;
    z_stream gzip;
    BrotliEncoderState *br;
    ZSTD_CCtx *zstd;
};

static const char *const names[CODINGS] = {"identity", "gzip", "br", "zstd"};

const char *coding_name(enum coding c)
{
    return names[c];
}

enum coding coding_parse(struct str word)
{
    /* RFC 9110 section 8.4.1.3. */
    if (str_ieq(word, STR("x-gzip")))
        return CODING_GZIP;
    for (int i = 0; i < CODINGS; i++)
        if (str_ieq(word, str_of(names[i])))
            return (enum coding)i;
    return CODINGS;
}

static bool begin_gzip(struct encoder *e, enum coding_level level)
{
    static const int levels[] = {1, 5, 9};

    return deflateInit2(&e->gzip, levels[level], Z_DEFLATED, GZIP_WINDOW + GZIP_FORMAT, GZIP_MEMORY,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

static bool begin_br(struct encoder *e, enum coding_level level)
{
    static const uint32_t levels[] = {1, 4, 9};

    e->br = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    return e->br && BrotliEncoderSetParameter(e->br, BROTLI_PARAM_QUALITY, levels[level]) &&
           BrotliEncoderSetParameter(e->br, BROTLI_PARAM_LGWIN, WINDOW_BITS);
}

static bool begin_zstd(struct encoder *e, enum coding_level level)
{
    static const int levels[] = {1, 3, 9};

    e->zstd = ZSTD_createCCtx();
    return e->zstd &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, levels[level])) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_windowLog, WINDOW_BITS));
}

struct encoder *encoder_new(enum coding c, enum coding_level level)
{
    struct encoder *e = c == CODING_IDENTITY || c >= CODINGS ? NULL : calloc(1, sizeof *e);
    bool good = false;

    if (!e)
        return NULL;
    e->coding = c;
    good = c == CODING_GZIP ? begin_gzip(e, level)
           : c == CODING_BR ? begin_br(e, level)
                            : begin_zstd(e, level);
    if (!good) {
        e->coding = c == CODING_GZIP ? CODING_IDENTITY : c;
        encoder_free(&e);
    }
    return e;
}

static bool run_gzip(struct encoder *e, const void *p, size_t n, enum encoder_step step,
                     struct bytes *out)
{
    static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    unsigned char piece[PIECE];
    int r;

    e->gzip.next_in = (Bytef *)p;
    e->gzip.avail_in = (uInt)n;
    do {
        e->gzip.next_out = piece;
        e->gzip.avail_out = sizeof piece;
        r = deflate(&e->gzip, flushes[step]);
        if (r == Z_STREAM_ERROR || !bytes_add(out, piece, sizeof piece - e->gzip.avail_out))
            return false;
    } while (e->gzip.avail_out == 0 || e->gzip.avail_in > 0);
    return true;
}

static bool run_br(struct encoder *e, const void *p, size_t n, enum encoder_step step,
                   struct bytes *out)
{
    static const BrotliEncoderOperation operations[] = {
        BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH};
    const uint8_t *in = p;
    size_t room = 0;

    do {
        size_t made = 0;
        const uint8_t *piece;

        if (!BrotliEncoderCompressStream(e->br, operations[step], &n, &in, &room, NULL, NULL))
            return false;
        piece = BrotliEncoderTakeOutput(e->br, &made);
        if (!bytes_add(out, piece, made))
            return false;
    } while (n > 0 || BrotliEncoderHasMoreOutput(e->br) ||
             (step == ENCODER_END && !BrotliEncoderIsFinished(e->br)));
    return true;
}

static bool run_zstd(struct encoder *e, const void *p, size_t n, enum encoder_step step,
                     struct bytes *out)
{
    static const ZSTD_EndDirective directives[] = {ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end};
    char piece[PIECE];
    ZSTD_inBuffer in = {p, n, 0};
    size_t left;

    do {
        ZSTD_outBuffer to = {piece, sizeof piece, 0};

        left = ZSTD_compressStream2(e->zstd, &to, &in, directives[step]);
        if (ZSTD_isError(left) || !bytes_add(out, piece, to.pos))
            return false;
    } while (in.pos < in.size || (step != ENCODER_MORE && left > 0));
    return true;
}

bool encoder_run(struct encoder *e, const void *p, size_t n, enum encoder_step step,
                 struct bytes *out)
{
    if (n == 0 && step == ENCODER_MORE)
        return true;
    switch (e->coding) {
    case CODING_GZIP:
        return run_gzip(e, p, n, step, out);
    case CODING_BR:
        return run_br(e, p, n, step, out);
    case CODING_ZSTD:
        return run_zstd(e, p, n, step, out);
    case CODING_IDENTITY:
    case CODINGS:
        break;
    }
    return false;
}

void encoder_free(struct encoder **pe)
{
    struct encoder *e = *pe;

    *pe = NULL;
    if (!e)
        return;
    if (e->coding == CODING_GZIP)
        deflateEnd(&e->gzip);
    if (e->br)
        BrotliEncoderDestroyInstance(e->br);
    ZSTD_freeCCtx(e->zstd);
    free(e);
}
