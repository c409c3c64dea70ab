/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as Consul's answer about a prefix: texts of keys that belong to it, or a message. */
#include "policy/key_kv.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {""};
    struct key_kv *kv = key_kv_parse((struct str){(const char *)data, size}, "f/keys", &e);

    assert((kv == NULL) == (e.text[0] != '\0'));
    for (size_t i = 0; kv && i < kv->n; i++)
        assert(strncmp(kv->texts[i].name, "kv f/keys", 9) == 0 && kv->texts[i].text.n <= size);
    key_kv_free(kv);
    return 0;
}
