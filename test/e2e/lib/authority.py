# SPDX-License-Identifier: Apache-2.0
"""authority.py - a certificate authority for one test, made with the openssl command.

    ca = Authority()                                 # ca.file: its certificate (PEM)
    cert = ca.issue("orders", ["orders.internal", "127.0.0.1"])   # cert.cert, cert.key: files
    ca.issue("old", ["x"], days=-1)                  # expired yesterday
    other = Authority("another")
    ca.close()                                       # removes the files

Names that are IP addresses become addresses in the certificate. Keys are P-256, or RSA with rsa=True.
have_openssl() says whether the command is there.
"""
import collections
import ipaddress
import os
import shutil
import subprocess
import tempfile

Certificate = collections.namedtuple("Certificate", "cert key")


def have_openssl():
    return shutil.which("openssl") is not None


def _run(*arguments):
    done = subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=30)
    if done.returncode:
        raise AssertionError("openssl %s: %s" % (arguments[0], done.stdout.decode(errors="replace")))


def _alternative(name):
    try:
        return "IP:%s" % ipaddress.ip_address(name)
    except ValueError:
        return "DNS:" + name


class Authority:
    def __init__(self, name="test authority"):
        self.name = name
        self.dir = tempfile.mkdtemp(prefix="frontdesk-authority-")
        self.file = os.path.join(self.dir, "ca.pem")
        self.key = os.path.join(self.dir, "ca.key")
        self._issued = 0
        _run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", self.key, "-out", self.file, "-subj", "/CN=" + name, "-days", "2",
             "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name, names=(), days=1, rsa=False, extensions=()):
        """A certificate for these names, the chain's leaf: Certificate(cert, key), both files. The
        subject's common name is `name`."""
        self._issued += 1
        base = os.path.join(self.dir, "%d" % self._issued)
        key = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        lines = list(extensions)
        if names:
            lines.append("subjectAltName=" + ",".join(_alternative(item) for item in names))
        with open(base + ".ext", "w") as file:
            file.write("basicConstraints=CA:FALSE\n" + "\n".join(lines) + "\n")
        _run("req", "-newkey", *key, "-nodes", "-keyout", base + ".key", "-out", base + ".csr",
             "-subj", "/CN=" + name)
        # "-days -1": valid to yesterday.
        _run("x509", "-req", "-in", base + ".csr", "-CA", self.file, "-CAkey", self.key,
             "-set_serial", str(1000 + self._issued), "-days", str(days), "-extfile", base + ".ext",
             "-out", base + ".pem")
        return Certificate(base + ".pem", base + ".key")

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
