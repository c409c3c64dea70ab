/* SPDX-License-Identifier: Apache-2.0 */
/* Any answer of the KV store is either rows, and documents from which a configuration comes or not,
 * or an error with words in it. */
#include "base/log.h"
#include "config/config.h"
#include "config/kv_rows.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err e = {""};
    struct kv_rows *rows = kv_rows_parse((struct str){(const char *)data, n}, "f/", &e);
    struct config_documents *d = rows ? kv_rows_documents(rows, "f/", &e) : NULL;
    struct config *c = d ? config_join("", NULL, d, &e) : NULL;

    log_set_level(LOG_ERROR);
    if (!c && !e.text[0])
        abort();
    config_unref(&c);
    documents_free(&d);
    kv_rows_free(&rows);
    return 0;
}
