/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what somebody wrote into the fleet's keys. The first byte chooses: the whole answer
 * of the store, the value of a gateway's key, or that of a word's. */
#include "fleet/fleet_word.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str body)
{
    struct err e;
    struct fleet_view *v = fleet_view_parse(body, "frontdesk", &e);

    for (size_t i = 0; v && i < v->nwords; i++) {
        char *text = fleet_word_text(&v->words[i]);

        assert(v->words[i].what <= OPERATE_SHADOW && v->words[i].until_ms > 0);
        free(text);
    }
    for (size_t i = 0; v && i < v->ngateways; i++) {
        char *text = fleet_gateway_text(&v->gateways[i]);

        assert(strlen(text) <= FLEET_VALUE_MAX && v->gateways[i].n <= FLEET_ENTRIES_MAX);
        free(text);
    }
    fleet_view_free(v);
}

static void check_value(const char *part, const uint8_t *data, size_t n)
{
    unsigned char *b64 = malloc(n / 3 * 4 + 8);
    char *body;

    if (!b64)
        return;
    EVP_EncodeBlock(b64, data, (int)n);
    if (asprintf(&body, "[{\"Key\":\"frontdesk/%s/x\",\"Session\":\"s\",\"Value\":\"%s\"}]", part,
                 b64) > 0) {
        check(str_of(body));
        free(body);
    }
    free(b64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        check((struct str){(const char *)data + 1, size - 1});
    else
        check_value(data[0] % 3 == 1 ? "gateways" : "force", data + 1, size - 1);
    return 0;
}
