/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a file of answers, as if its checksum were right: read, unpacked, written and read
 * again. */
#include "base/state_file.h"
#include "discovery/answers.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char origin[] = "consul http://127.0.0.1:8500 dc=";

static void read_as_file(struct str s)
{
    static const struct state_kind kind = {"answers", 1, 1 << 20};
    struct str content;
    struct err e;

    if (state_file_check(s, &kind, &content, &e) == STATE_READ &&
        (content.p < s.p || content.p + content.n != s.p + s.n))
        abort();
}

static void unpack_one(const struct answers *a, struct str content)
{
    const char *end = memchr(content.p, '\n', content.n);
    struct bytes body = {0};
    int64_t heard_ms;
    char key[64] = "";

    /* The key of the first answer stands behind the second line. */
    end = end ? memchr(end + 1, '\n', content.n - (size_t)(end + 1 - content.p)) : NULL;
    if (end)
        memcpy(key, end + 1,
               content.n - (size_t)(end + 1 - content.p) < 5
                   ? content.n - (size_t)(end + 1 - content.p)
                   : 5);
    if (answers_get(a, key, &body, &heard_ms) && heard_ms < 0)
        abort();
    bytes_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    struct answers *a = answers_new(origin, 1 << 20), *b = answers_new(origin, 1 << 20);
    struct bytes again = {0};
    struct err e;

    read_as_file(s);
    if (size > 0 && answers_read(a, s, &e) == ANSWERS_READ) {
        unpack_one(a, s);
        answers_write(a, 0, &again);
        if (answers_read(b, bytes_str(&again), &e) != ANSWERS_READ ||
            answers_count(a) != answers_count(b) || answers_bytes(a) != answers_bytes(b))
            abort();
        bytes_free(&again);
    }
    answers_free(&a);
    answers_free(&b);
    return 0;
}
