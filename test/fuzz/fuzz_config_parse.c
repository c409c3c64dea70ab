/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is either a configuration or an error with words in it. */
#include "base/log.h"
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err e = {""};
    struct config *c;

    log_set_level(LOG_ERROR);
    c = config_parse("fuzz.yaml", (const char *)data, n, &e);
    if (c ? !config_service(c, "web")->balance.policy || c->nlisteners == 0 : !e.text[0])
        abort();
    config_unref(&c);
    return 0;
}
