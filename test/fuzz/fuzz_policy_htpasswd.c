/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file of passwords. No password is checked here, since that is slow on purpose. */
#include "policy/password_file.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {""};
    struct password_file *f =
        password_file_new("users", (struct str){(const char *)data, size}, &e);

    assert((f == NULL) == (e.text[0] != '\0'));
    if (f)
        assert(password_file_count(f) <= size / 62);
    password_file_unref(&f);
    return 0;
}
