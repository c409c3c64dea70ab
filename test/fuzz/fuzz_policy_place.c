/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as Authorization, Cookie and query: a token is a slice of what was sent, and two of
 * them are never one. Lines: the first byte chooses where the rest goes. */
#include "policy/token_place.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct str part, struct str whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct token_place places[] = {
        {PLACE_HEADER, "Authorization", "Bearer"},
        {PLACE_HEADER, "X-Token", ""},
        {PLACE_COOKIE, "sid", NULL},
        {PLACE_QUERY, "access_token", NULL},
    };
    struct str rest = {(const char *)data, size}, line;
    struct request r = {.nheaders = 0};

    while (r.nheaders < HTTP_MAX_HEADERS && str_next(&rest, '\n', &line)) {
        struct header *h = &r.headers[r.nheaders];
        struct str value = {line.p + 1, line.n - 1};

        if (line.p[0] == '?') {
            r.query = value;
            continue;
        }
        h->name = line.p[0] == 'c'   ? STR("Cookie")
                  : line.p[0] == 'x' ? STR("x-token")
                                     : STR("Authorization");
        h->value = str_trim(value);
        h->id = (uint8_t)header_id(h->name);
        r.nheaders++;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct str found = {"", 0};
        enum token_error e = token_find_at(&r, &places[i], &found);

        assert(e == TOKEN_OK || e == TOKEN_MISSING || e == TOKEN_REPEATED);
        if (e == TOKEN_OK)
            assert(lies_in(found, (struct str){(const char *)data, size}));
    }
    return 0;
}
