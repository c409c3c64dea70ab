/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/alpn.h"

#include <openssl/ssl.h>
#include <string.h>

bool tls_chose_h2(const SSL *ssl)
{
    const unsigned char *name;
    unsigned n;

    SSL_get0_alpn_selected(ssl, &name, &n);
    return n == 2 && memcmp(name, "h2", 2) == 0;
}
