/* SPDX-License-Identifier: Apache-2.0 */
#include "http/chars.h"

#define V    CHAR_VALUE
#define VG   (CHAR_VALUE | CHAR_TARGET)
#define TVG  (CHAR_TOKEN | CHAR_VALUE | CHAR_TARGET)
#define TVGU (CHAR_TOKEN | CHAR_VALUE | CHAR_TARGET | CHAR_UNRESERVED)

/* clang-format off */
const uint8_t char_classes[256] = {
    ['\t'] = V, [' '] = V,
    ['!'] = TVG, ['"'] = VG, ['#'] = CHAR_TOKEN | CHAR_VALUE, ['$' ... '\''] = TVG,
    ['(' ... ')'] = VG, ['*' ... '+'] = TVG, [','] = VG, ['-' ... '.'] = TVGU, ['/'] = VG,
    ['0' ... '9'] = TVGU, [':' ... '@'] = VG, ['A' ... 'Z'] = TVGU, ['[' ... ']'] = VG,
    ['^'] = TVG, ['_'] = TVGU, ['`'] = TVG, ['a' ... 'z'] = TVGU,
    ['{'] = VG, ['|'] = TVG, ['}'] = VG, ['~'] = TVGU,
    [0x80 ... 0xff] = V,
};
/* clang-format on */
