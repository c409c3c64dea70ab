/* SPDX-License-Identifier: Apache-2.0 */
#include "kind.h"

#include <string.h>

static const char seed[] =
    "[{\"id\":\"u1\",\"name\":\"Ada Palmer\",\"email\":\"ada@shop.example\",\"city\":\"Lisbon\"},"
    " {\"id\":\"u2\",\"name\":\"Ben Okafor\",\"email\":\"ben@shop.example\",\"city\":\"Lagos\"},"
    " {\"id\":\"u3\",\"name\":\"Chen Wei\",\"email\":\"chen@shop.example\",\"city\":\"Taipei\"},"
    " {\"id\":\"u4\",\"name\":\"Dora Lind\",\"email\":\"dora@shop.example\",\"city\":\"Lisbon\"}]";

static const char *users_prepare(json_t *user)
{
    const char *email = json_string_value(json_object_get(user, "email"));

    return email != NULL && strchr(email, '@') != NULL ? NULL : "email is not an address";
}

const struct kind users_kind = {
    .service = "users",
    .path = "users",
    .id_prefix = "u",
    .seed = seed,
    .required = {"name", "email"},
    .searched = {"name", "email", "city"},
    .prepare = users_prepare,
};
