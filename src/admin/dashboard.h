/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* dashboard.h - the dashboard page and its two resources, compiled in from the files
 * dashboard.html, dashboard.js and dashboard.css. */
#include "base/str.h"

struct str dashboard_html(void);
struct str dashboard_js(void);
struct str dashboard_css(void);
