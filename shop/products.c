/* SPDX-License-Identifier: Apache-2.0 */
#include "kind.h"

static const char seed[] =
    "[{\"id\":\"p1\",\"name\":\"Tea kettle\",\"category\":\"kitchen\",\"price\":3900,\"stock\":12},"
    " {\"id\":\"p2\",\"name\":\"Tea cup\",\"category\":\"kitchen\",\"price\":900,\"stock\":140},"
    " {\"id\":\"p3\",\"name\":\"Desk lamp\",\"category\":\"office\",\"price\":4500,\"stock\":7},"
    " {\"id\":\"p4\",\"name\":\"Notebook\",\"category\":\"office\",\"price\":350,\"stock\":900},"
    " {\"id\":\"p5\",\"name\":\"Wool blanket\",\"category\":\"home\",\"price\":7800,\"stock\":0}]";

static const char *products_prepare(json_t *product)
{
    const json_t *price = json_object_get(product, "price");

    if (!json_is_integer(price) || json_integer_value(price) < 0)
        return "price is a whole number of cents";
    if (json_object_get(product, "stock") == NULL)
        json_object_set_new(product, "stock", json_integer(0));
    return NULL;
}

const struct kind products_kind = {
    .service = "products",
    .path = "products",
    .id_prefix = "p",
    .seed = seed,
    .required = {"name", "price"},
    .searched = {"name", "category"},
    .prepare = products_prepare,
};
