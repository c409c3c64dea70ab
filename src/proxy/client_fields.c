/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client_fields.h"
#include "proxy/access.h"
#include "proxy/subrequest.h"

bool client_field_goes_along(const struct header *h)
{
    static const struct str names[] = {
        STR("content-type"), STR("content-encoding"),    STR("content-language"),
        STR("if-match"),     STR("if-none-match"),       STR("if-modified-since"),
        STR("if-range"),     STR("if-unmodified-since"), STR("range"),
    };

    if (h->hop || h->id == HEADER_HOST || h->id == HEADER_CONTENT_LENGTH ||
        h->id == HEADER_EXPECT || subrequest_inherits(h))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(h->name, names[i]))
            return false;
    return true;
}

/* What asks for another form of the answer than JSON as it is, or is set for each. */
static bool is_about_form(const struct header *h)
{
    static const struct str names[] = {STR("accept"), STR("accept-encoding"),
                                       STR("x-request-deadline"), STR("te")};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(h->name, names[i]))
            return true;
    return h->id == HEADER_X_REQUEST_ID || h->id == HEADER_VIA;
}

bool client_fields_write(const struct exchange *x, bool door, struct bytes *to)
{
    for (unsigned i = 0; i < x->req.nheaders; i++) {
        const struct header *h = &x->req.headers[i];

        if (!client_field_goes_along(h) || is_about_form(h) ||
            (!door && access_removes_request_field(x, h->name)))
            continue;
        if (!(bytes_add_str(to, h->name) && bytes_add_str(to, STR(": ")) &&
              bytes_add_str(to, h->value) && bytes_add_str(to, STR("\r\n"))))
            return false;
    }
    return true;
}
