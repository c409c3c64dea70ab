/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* dashboard_files.h - what the build makes of each file (cmake/Embed.cmake). */
#include "base/str.h"

struct str dashboard_html(void);
struct str dashboard_js(void);
struct str dashboard_css(void);
struct str act_js(void);
struct str api_js(void);
struct str details_js(void);
struct str dom_js(void);
struct str icon_js(void);
struct str incident_js(void);
struct str instances_js(void);
struct str list_js(void);
struct str model_js(void);
struct str row_js(void);
struct str spark_js(void);
struct str stream_js(void);
struct str top_js(void);
struct str words_js(void);
struct str icon_good_svg(void);
struct str icon_warn_svg(void);
struct str icon_bad_svg(void);
struct str icon_quiet_svg(void);
