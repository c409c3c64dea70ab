/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a store of API keys: a table or a message, never both, and whoever is in it is a
 * whole identity. */
#include "policy/api_key.h"
#include "policy/key_table.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Its hash is in the corpus under the id acme-1. */
#define KEY "fdk_acme-1_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_4FOtwe"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_text one = {"keys", {(const char *)data, size}};
    struct err e = {""};
    struct key_table *t = key_table_new("store", &one, 1, STR("a pepper of some length"), &e);
    struct identity *who = NULL;
    enum key_answer a;

    assert((t == NULL) == (e.text[0] != '\0'));
    if (!t)
        return 0;
    a = key_table_find(t, STR(KEY), 1000, &who);
    assert(a != KEY_MALFORMED);
    assert((a == KEY_OK) == (who != NULL));
    if (who)
        assert(who->subject[0] && json_is_string(identity_claim(who, "key_id")));
    key_table_unref(&t);
    return 0;
}
