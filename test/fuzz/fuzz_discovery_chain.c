/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as /v1/discovery-chain/web: refused with words, or a chain whose ways all end at a
 * target. */
#include "discovery/chain.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned pick(unsigned n, uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % n;
}

/* One way from the start, whichever. */
static void walk(const struct chain *c, uint32_t seed)
{
    unsigned at = c->start;

    for (int hops = 0; c->nodes[at].kind != CHAIN_RESOLVER; hops++) {
        const struct chain_node *n = &c->nodes[at];

        assert(hops < CHAIN_MAX_DEPTH);
        if (n->kind == CHAIN_ROUTER && n->nroutes == 0)
            return;
        at = n->kind == CHAIN_ROUTER ? n->routes[pick(n->nroutes, &seed)].next
                                     : n->splits[pick(n->nsplits, &seed)].next;
        assert(at < c->nnodes);
    }
    assert(c->nodes[at].resolver.target < c->ntargets);
    assert(c->targets[c->nodes[at].resolver.target].key[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {.text = ""};
    struct chain *c = chain_parse((struct str){(const char *)data, size}, "web", &e);

    if (!c) {
        assert(e.text[0]);
        return 0;
    }
    for (uint32_t i = 0; i < 16; i++)
        walk(c, i);
    (void)chain_is_plain(c);
    chain_unref(&c);
    assert(!c);
    return 0;
}
