# SPDX-License-Identifier: Apache-2.0
"""What testssl.sh, which knows the sins of thirty years, says about a gateway as it is by default."""
import json
import os
import secrets
import shutil
import subprocess

from test_tls import Front

# testssl.sh tells the severity of each finding: OK, INFO, LOW, MEDIUM, HIGH, CRITICAL, WARN, FATAL.
ACCEPTED = {"OK", "INFO", "LOW"}
# A site's choice, which its services make: Content-Security-Policy and its like.
NOT_OURS = {"security_headers"}
SECONDS = 240


class Scan(Front):
    slow = True

    def setUp(self):
        super().setUp()
        self.testssl = shutil.which("testssl")
        if not self.testssl:
            self.skipTest("no testssl here (Debian package testssl.sh)")
        # Certificates as an authority of the web would issue them.
        extensions = ["extendedKeyUsage=serverAuth", "keyUsage=critical,digitalSignature",
                      "crlDistributionPoints=URI:http://crl.invalid/ca.crl",
                      "authorityInfoAccess=OCSP;URI:http://ocsp.invalid"]
        entries = []
        for rsa in (False, True):
            made = self.ca.issue("shop.example", ["shop.example"], rsa=rsa, days=90, extensions=extensions,
                                 serial=secrets.randbits(120) | 1 << 119)
            response = self.ca.staple(made, "%s.ocsp" % made.cert)
            entries.append({"cert": made.cert, "key": made.key, "ocsp": response})
        self.gateway_ = self.front(self.listener(entries))

    def findings(self, *sections):
        report = os.path.join(self.gateway_.dir, "testssl.json")
        done = subprocess.run([self.testssl, "--openssl", shutil.which("openssl"), "--quiet", "--color", "0",
                               "--warnings", "batch", "-n", "none", "--ip", "127.0.0.1", "--add-ca", self.ca.file,
                               "--jsonfile", report, *sections, "https://shop.example:%d" % self.port],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=self.gateway_.dir, timeout=SECONDS)
        self.assertTrue(os.path.exists(report), done.stdout.decode(errors="replace")[-2000:])
        with open(report) as file:
            return {row["id"]: row for row in json.load(file)}

    def judge(self, found, *expected):
        """Nothing bad, and what must have been looked at was."""
        self.assertEqual([], [name for name in expected if name not in found])
        self.assertEqual([], ["%(severity)s %(id)s: %(finding)s" % row for row in found.values()
                              if row["severity"] not in ACCEPTED and row["id"] not in NOT_OURS
                              and not self.is_unseen(row)])

    @staticmethod
    def is_unseen(row):
        """On a busy machine testssl.sh gives up on a check of its own now and then."""
        return row["severity"] == "WARN" and "connect problem" in row["finding"]

    def test_protocols_ciphers_and_certificates(self):
        found = self.findings("-p", "-s", "-f", "-P", "-S", "-h")
        self.judge(found, "SSLv3", "TLS1_2", "TLS1_3", "cipherlist_STRONG", "PFS", "cipher_order", "HSTS_time",
                   "OCSP_stapling <cert#1>", "OCSP_stapling <cert#2>", "cert_chain_of_trust <cert#1>")
        self.assertEqual(found["TLS1_3"]["severity"], "OK")
        self.assertEqual(found["OCSP_stapling <cert#1>"]["finding"], "offered")

    def test_known_attacks(self):
        found = self.findings("-U")
        self.judge(found, "heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_renego", "secure_client_renego",
                   "CRIME_TLS", "BREACH", "SWEET32", "LOGJAM", "BEAST", "LUCKY13", "RC4")
