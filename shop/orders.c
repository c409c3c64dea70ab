/* SPDX-License-Identifier: Apache-2.0 */
#include "kind.h"

static const char seed[] =
    "[{\"id\":\"o1\",\"user\":\"u1\",\"status\":\"shipped\",\"total\":5700,\"items\":["
    "   {\"product\":\"p1\",\"quantity\":1,\"price\":3900},"
    "   {\"product\":\"p2\",\"quantity\":2,\"price\":900}]},"
    " {\"id\":\"o2\",\"user\":\"u2\",\"status\":\"paid\",\"total\":4500,\"items\":["
    "   {\"product\":\"p3\",\"quantity\":1,\"price\":4500}]},"
    " {\"id\":\"o3\",\"user\":\"u1\",\"status\":\"new\",\"total\":1050,\"items\":["
    "   {\"product\":\"p4\",\"quantity\":3,\"price\":350}]}]";

/* The total is the shop's to work out, whatever the client sent. */
static const char *orders_prepare(json_t *order)
{
    json_t *items = json_object_get(order, "items");
    json_int_t total = 0;
    json_t *item;
    size_t i;

    if (!json_is_array(items) || json_array_size(items) == 0)
        return "items is a list of at least one item";
    json_array_foreach(items, i, item)
    {
        json_int_t quantity = json_integer_value(json_object_get(item, "quantity"));
        json_int_t price = json_integer_value(json_object_get(item, "price"));

        if (!json_is_string(json_object_get(item, "product")))
            return "an item names its product";
        if (quantity < 1 || quantity > 1000 || price < 0 || price > 100000000)
            return "an item has a quantity of 1 to 1000 and a price in cents";
        total += quantity * price;
    }
    json_object_set_new(order, "total", json_integer(total));
    json_object_set_new(order, "status", json_string("new"));
    return NULL;
}

const struct kind orders_kind = {
    .service = "orders",
    .path = "orders",
    .id_prefix = "o",
    .seed = seed,
    .required = {"user", "items"},
    .searched = {"user", "status"},
    .prepare = orders_prepare,
};
