# SPDX-License-Identifier: Apache-2.0
"""authority.py - a certificate authority for one test, made with the openssl command.

    ca = Authority()                                 # ca.file: its certificate (PEM)
    cert = ca.issue("orders", ["orders.internal", "127.0.0.1"])   # cert.cert, cert.key: files
    ca.issue("old", ["x"], days=-1)                  # expired yesterday
    other = Authority("another")
    below = ca.intermediate("shop ca")               # what it issues has its certificate in the file
    ca.staple(cert, "/path")                         # an OCSP response about it (DER)
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
    return done.stdout.decode(errors="replace")


def _alternative(name):
    try:
        return "IP:%s" % ipaddress.ip_address(name)
    except ValueError:
        return "DNS:" + name


class Authority:
    def __init__(self, name="test authority", above=None):
        self.name = name
        self.dir = tempfile.mkdtemp(prefix="frontdesk-authority-")
        self.file = os.path.join(self.dir, "ca.pem")
        self.key = os.path.join(self.dir, "ca.key")
        self.above = above
        self._below = []
        self._issued = 0
        if above:
            made = above.issue(name, extensions=["basicConstraints=critical,CA:TRUE"], days=2)
            shutil.copy(made.cert, self.file)
            shutil.copy(made.key, self.key)
            return
        _run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", self.key, "-out", self.file, "-subj", "/CN=" + name, "-days", "2",
             "-addext", "basicConstraints=critical,CA:TRUE")

    def intermediate(self, name):
        """An authority below this one; it goes away with it."""
        below = Authority(name, self)
        self._below.append(below)
        return below

    def issue(self, name, names=(), days=1, rsa=False, extensions=(), subject=None, serial=None):
        """A certificate for these names, the chain's leaf: Certificate(cert, key), both files. The
        subject's common name is `name`, unless a whole `subject` ("/O=Shop/CN=web") is given."""
        self._issued += 1
        base = os.path.join(self.dir, "%d" % self._issued)
        key = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        lines = list(extensions)
        if names:
            lines.append("subjectAltName=" + ",".join(_alternative(item) for item in names))
        with open(base + ".ext", "w") as file:
            if not any("CA:TRUE" in line for line in lines):
                lines.append("basicConstraints=CA:FALSE")
            file.write("\n".join(lines) + "\n")
        _run("req", "-newkey", *key, "-nodes", "-keyout", base + ".key", "-out", base + ".csr",
             "-subj", subject or "/CN=" + name)
        # "-days -1": valid to yesterday.
        _run("x509", "-req", "-in", base + ".csr", "-CA", self.file, "-CAkey", self.key,
             "-set_serial", str(serial or 1000 + self._issued), "-days", str(days), "-extfile", base + ".ext",
             "-out", base + ".pem")
        if self.above:
            with open(base + ".pem", "a") as file, open(self.file) as own:
                file.write(own.read())
        return Certificate(base + ".pem", base + ".key")

    def staple(self, certificate, path, minutes=60, revoked=False):
        """An OCSP response of this authority about a certificate of its own, in place at once."""
        base = os.path.join(self.dir, "ocsp")
        _run("ocsp", "-issuer", self.file, "-cert", certificate.cert, "-no_nonce", "-reqout", base + ".req")
        serial = _run("x509", "-in", certificate.cert, "-noout", "-serial").strip().split("=")[1]
        with open(base + ".index", "w") as file:
            file.write("%s\t491231235959Z\t%s\t%s\tunknown\t/CN=x\n"
                       % (("R", "260101000000Z", serial) if revoked else ("V", "", serial)))
        _run("ocsp", "-index", base + ".index", "-CA", self.file, "-rsigner", self.file, "-rkey", self.key,
             "-reqin", base + ".req", "-respout", path + ".new", "-nmin", str(minutes))
        os.replace(path + ".new", path)
        return path

    def close(self):
        for below in self._below:
            below.close()
        shutil.rmtree(self.dir, ignore_errors=True)
