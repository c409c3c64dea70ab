/* SPDX-License-Identifier: Apache-2.0 */
#include "kind.h"

static const char seed[] =
    "[{\"id\":\"t1\",\"order\":\"o1\",\"amount\":5700,\"method\":\"card\",\"status\":\"captured\"},"
    " {\"id\":\"t2\",\"order\":\"o2\",\"amount\":4500,\"method\":\"transfer\","
    "  \"status\":\"captured\"}]";

static const char *payments_prepare(json_t *payment)
{
    const json_t *amount = json_object_get(payment, "amount");

    if (!json_is_integer(amount) || json_integer_value(amount) <= 0)
        return "amount is a whole number of cents above 0";
    if (json_object_get(payment, "method") == NULL)
        json_object_set_new(payment, "method", json_string("card"));
    json_object_set_new(payment, "status", json_string("captured"));
    return NULL;
}

const struct kind payments_kind = {
    .service = "payments",
    .path = "payments",
    .id_prefix = "t",
    .seed = seed,
    .required = {"order", "amount"},
    .searched = {"order", "method", "status"},
    .prepare = payments_prepare,
};
