/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* relaxed.h - the relaxed atomic operations of this folder, short enough to read in an expression.
 * Private. */
#include <stdatomic.h>

#define GET(p)    atomic_load_explicit((p), memory_order_relaxed)
#define SET(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define INC(p)    atomic_fetch_add_explicit((p), 1, memory_order_relaxed)
