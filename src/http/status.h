/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* status.h - the phrases of the status codes that frontdesk itself answers with (RFC 9110 section
 * 15). */

/* Never NULL: "Error" for a code that is not in the table. */
const char *http_status_phrase(unsigned status);
