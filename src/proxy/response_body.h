/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* response_body.h - the way back: the answer's head, written anew, and its body, pumped to the
 * client while it arrives. After 101 (Switching Protocols) both directions are a tunnel of bytes.
 */
#include "proxy/exchange.h"

/* Writes the head and decides how the body is framed for this client. V_NEXT or V_FINISH. */
enum verdict response_body_start(struct exchange *x);
/* Moves it on: V_NEXT when complete, V_WAIT with the step deadline armed, V_FINISH when it broke.
 */
enum verdict response_body_run(struct exchange *x);
