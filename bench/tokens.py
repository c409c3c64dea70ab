#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a bearer token costs a worker: bench/tokens.c, built against the libraries of a build.

    bench/tokens.py [BUILD, default build/release]

For each algorithm: the whole way from the request to an identity, without the cache, beside OpenSSL's
EVP_DigestVerify of the same bytes; then the same with the token known already.
"""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODULES = ("policy", "config", "http", "json", "base")
PACKAGES = ("libjwt", "jansson", "libcrypto", "yaml-0.1", "libcurl", "libevent_core", "libevent_pthreads", "libcrypt")


def packages(*flags):
    return subprocess.run(["pkg-config", *flags, *PACKAGES], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.split()


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/release"))
    with tempfile.TemporaryDirectory(prefix="frontdesk-tokens-") as folder:
        program = os.path.join(folder, "tokens")
        libraries = [os.path.join(build, "lib%s.a" % name) for name in MODULES]
        libraries += [path for path in (os.path.join(build, "libllhttp.a"),) if os.path.exists(path)]
        subprocess.run(["cc", "-std=gnu11", "-O2", "-flto=auto", "-D_GNU_SOURCE", "-UNDEBUG",
                        os.path.join(ROOT, "bench/tokens.c"), "-I" + os.path.join(ROOT, "test/unit/policy"),
                        *["-I" + os.path.join(build, "include", name) for name in MODULES],
                        *packages("--cflags"), "-o", program, *libraries, *packages("--libs"), "-lm", "-lpthread"],
                       check=True)
        return subprocess.run([program]).returncode


if __name__ == "__main__":
    sys.exit(main())
