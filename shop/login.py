# SPDX-License-Identifier: Apache-2.0
"""What a shop has a login service for: a key that signs tokens (EdDSA), and a certificate for the door. Both
are made by the openssl command and live as long as the demo."""
import base64
import json
import os
import subprocess
import time

ISSUER = "https://login.shop.example"


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, timeout=30, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Login:
    def __init__(self, folder):
        self.folder = folder
        self.key = os.path.join(folder, "login.key")
        self.public = os.path.join(folder, "login.pem")
        self.certificate = os.path.join(folder, "door.pem")
        self.certificate_key = os.path.join(folder, "door.key")
        openssl("genpkey", "-algorithm", "ED25519", "-out", self.key)
        openssl("pkey", "-in", self.key, "-pubout", "-out", self.public)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout", self.certificate_key, "-out", self.certificate)

    def token(self, subject, **claims):
        """Path of a file with a token for this customer, good for a day."""
        now = int(time.time())
        whole = dict(claims, iss=ISSUER, aud="shop", sub=subject, iat=now, exp=now + 86400)
        text = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "EdDSA", "typ": "JWT"}, whole))
        data = os.path.join(self.folder, "to-sign")
        with open(data, "w") as file:
            file.write(text)
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", data)
        path = os.path.join(self.folder, subject + ".token")
        with open(path, "w") as file:
            file.write("%s.%s" % (text, base64url(signature)))
        return path

    def configuration(self):
        """Issuers, policies and the route that asks: an account is for its owner, and for support."""
        return {
            "issuers": {"login": {"issuer": ISSUER, "audience": ["shop"], "keys": {"pem_file": self.public}}},
            "policies": {
                "owner": {"authenticate": [{"issuer": "login"}], "headers": {"X-User": "sub"},
                          "claims": [{"claim": "sub", "path_parameter": "id"}]},
                "support": {"authenticate": [{"issuer": "login"}], "headers": {"X-User": "sub"},
                            "roles": ["support"]},
                "account": {"any": ["owner", "support"]}},
            "routes": [{"path": "/users/{id}", "service": "users", "auth": "account"}]}
