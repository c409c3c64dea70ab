/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* notify.h - tells systemd how the service is (sd_notify(3)): a datagram to $NOTIFY_SOCKET. */
#include <stdint.h>

/* "READY=1", "RELOADING=1\nMONOTONIC_USEC=...", "STOPPING=1", "STATUS=...". Does nothing outside
 * systemd. */
void notify(const char *state);
/* Half of WATCHDOG_USEC in milliseconds; 0 = no watchdog. */
uint64_t notify_watchdog_ms(void);
