/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/dashboard.h"
#include "admin/dashboard_files.h"
#include "base/macros.h"

#include <string.h>

static const char html[] = "text/html; charset=utf-8";
static const char css[] = "text/css; charset=utf-8";
static const char js[] = "text/javascript; charset=utf-8";
static const char svg[] = "image/svg+xml";

static const struct file {
    const char *path;
    const char *type;
    struct str (*bytes)(void);
} files[] = {
    {"/", html, dashboard_html},
    {"/dashboard.css", css, dashboard_css},
    {"/dashboard.js", js, dashboard_js},
    {"/dashboard/act.js", js, act_js},
    {"/dashboard/api.js", js, api_js},
    {"/dashboard/details.js", js, details_js},
    {"/dashboard/dom.js", js, dom_js},
    {"/dashboard/icon.js", js, icon_js},
    {"/dashboard/incident.js", js, incident_js},
    {"/dashboard/instances.js", js, instances_js},
    {"/dashboard/list.js", js, list_js},
    {"/dashboard/model.js", js, model_js},
    {"/dashboard/row.js", js, row_js},
    {"/dashboard/spark.js", js, spark_js},
    {"/dashboard/stream.js", js, stream_js},
    {"/dashboard/top.js", js, top_js},
    {"/dashboard/words.js", js, words_js},
    {"/dashboard/icon-good.svg", svg, icon_good_svg},
    {"/dashboard/icon-warn.svg", svg, icon_warn_svg},
    {"/dashboard/icon-bad.svg", svg, icon_bad_svg},
    {"/dashboard/icon-quiet.svg", svg, icon_quiet_svg},
};

bool dashboard_find(const char *path, struct dashboard_file *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        ret->type = files[i].type;
        ret->bytes = files[i].bytes();
        return true;
    }
    return false;
}
