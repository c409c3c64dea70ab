/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reason.h"

#include <string.h>

static const struct reason_info table[REASON_COUNT] = {
#define REASON(NAME, word, status, retry, title) {word, status, RETRY_##retry, title},
#include "base/reason.def"
#undef REASON
};

const struct reason_info *reason_info(enum reason r)
{
    return &table[r < REASON_COUNT ? r : REASON_INTERNAL];
}

enum reason reason_parse(const char *word)
{
    for (int i = 0; i < REASON_COUNT; i++)
        if (strcmp(table[i].word, word) == 0)
            return (enum reason)i;
    return REASON_COUNT;
}
