/* SPDX-License-Identifier: Apache-2.0 */
#include "kind.h"

static const char seed[] = "[{\"id\":\"n1\",\"user\":\"u1\",\"order\":\"o1\",\"channel\":\"email\","
                           "  \"text\":\"Your order o1 is on its way.\",\"status\":\"sent\"},"
                           " {\"id\":\"n2\",\"user\":\"u2\",\"order\":\"o2\",\"channel\":\"sms\","
                           "  \"text\":\"We have received your payment.\",\"status\":\"sent\"}]";

static const char *notifications_prepare(json_t *notification)
{
    if (json_object_get(notification, "channel") == NULL)
        json_object_set_new(notification, "channel", json_string("email"));
    json_object_set_new(notification, "status", json_string("sent"));
    return NULL;
}

const struct kind notifications_kind = {
    .service = "notifications",
    .path = "notifications",
    .id_prefix = "n",
    .seed = seed,
    .required = {"user", "text"},
    .searched = {"user", "order", "text"},
    .prepare = notifications_prepare,
};
