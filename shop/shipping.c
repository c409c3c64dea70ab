/* SPDX-License-Identifier: Apache-2.0 */
#include "kind.h"

static const char seed[] =
    "[{\"id\":\"s1\",\"order\":\"o1\",\"carrier\":\"Blue Heron\",\"status\":\"in transit\","
    "  \"city\":\"Lisbon\"}]";

static const char *shipping_prepare(json_t *shipment)
{
    if (json_object_get(shipment, "carrier") == NULL)
        json_object_set_new(shipment, "carrier", json_string("Blue Heron"));
    json_object_set_new(shipment, "status", json_string("announced"));
    return NULL;
}

const struct kind shipping_kind = {
    .service = "shipping",
    .path = "shipments",
    .id_prefix = "s",
    .seed = seed,
    .required = {"order", "city"},
    .searched = {"order", "carrier", "status", "city"},
    .prepare = shipping_prepare,
};
