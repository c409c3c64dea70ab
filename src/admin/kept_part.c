/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/kept_part.h"
#include "admin/documents.h"

static bool is_recalled(const struct discovery_status *d)
{
    return d->recalled_list || d->recalled_services > 0;
}

int64_t kept_age_ms(const struct look *l, const struct discovery_status *d)
{
    int64_t age = l->wall_ms - d->kept.recalled_ms;

    return is_recalled(d) && age > 0 ? age : 0;
}

static json_t *recalled_part(const struct look *l, const struct discovery_status *d)
{
    if (!is_recalled(d))
        return json_null();
    return json_pack("{s:o,s:I,s:I,s:b}", "from", json_wall_time(d->kept.recalled_ms), "age_ms",
                     (json_int_t)kept_age_ms(l, d), "services", (json_int_t)d->recalled_services,
                     "list", d->recalled_list);
}

static json_t *text_or_null(const char *text)
{
    return text ? json_text(text) : json_null();
}

json_t *kept_part(const struct look *l, const struct discovery_status *d)
{
    const struct discovery_kept *k = &d->kept;

    if (!k->file)
        return json_null();
    return json_pack("{s:o,s:o,s:I,s:I,s:o,s:o,s:o}", "file", json_text(k->file), "written",
                     k->written_ms ? json_wall_time(k->written_ms) : json_null(), "answers",
                     (json_int_t)k->answers, "bytes", (json_int_t)k->bytes, "refused",
                     text_or_null(k->refused), "error", text_or_null(k->error), "recalled",
                     recalled_part(l, d));
}
