# SPDX-License-Identifier: Apache-2.0
"""tokens.py - bearer tokens (JWT) and the keys that sign them, made with the openssl command.

    key = SigningKey("ES256", kid="a")      # RS256 PS256 ES256 ES384 EdDSA; HS256: a shared secret
    key.jwk                                 # its public half, for a JWKS
    key.token(sub="ada", scope="orders:read")          # iss, aud, exp and iat are there by themselves
    key.token({"exp": 1}, header={"alg": "none"})      # what a forger would make
    issuer = Issuer(test, [key])            # an HTTP server with the key set: issuer.url, .publish(), .count
    key.close()
"""
import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time

ISSUER, AUDIENCE = "https://login.shop.example", "shop"
_KINDS = {
    "RS256": ("RSA", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    "PS256": ("RSA", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    "ES256": ("EC", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    "ES384": ("EC", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    "EdDSA": ("OKP", ["-algorithm", "ED25519"]),
}
_COORDINATE = {"ES256": 32, "ES384": 48}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return b64(json.dumps(value, separators=(",", ":")).encode())


def _openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=True, timeout=30).stdout


def _raw_signature(der, size):
    """r and s of an ECDSA signature side by side (RFC 7518 section 3.4)."""
    at, numbers = 3 if der[1] & 0x80 else 2, []
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(size, "big"))
        at += 2 + length
    return b"".join(numbers)


class SigningKey:
    def __init__(self, alg="ES256", kid="a"):
        self.alg, self.kid = alg, kid
        self.dir = tempfile.mkdtemp(prefix="frontdesk-keys-")
        self.file = os.path.join(self.dir, "key")
        if alg.startswith("HS"):
            self.secret = secrets.token_hex(32).encode()
            with open(self.file, "wb") as file:
                file.write(self.secret)
        else:
            _openssl("genpkey", *_KINDS[alg][1], "-out", self.file)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def pem(self):
        """Path of a file with the public key."""
        path = self.file + ".pub"
        if not os.path.exists(path):
            _openssl("pkey", "-in", self.file, "-pubout", "-out", path)
        return path

    @property
    def jwk(self):
        kind = _KINDS[self.alg][0]
        jwk = {"kty": kind, "kid": self.kid, "alg": self.alg, "use": "sig"}
        der = _openssl("pkey", "-in", self.file, "-pubout", "-outform", "DER")
        if kind == "RSA":
            modulus = _openssl("rsa", "-in", self.file, "-noout", "-modulus").strip().split(b"=")[1]
            jwk.update(n=b64(bytes.fromhex(modulus.decode())), e="AQAB")
        elif kind == "EC":
            size = _COORDINATE[self.alg]
            jwk.update(crv="P-%d" % (8 * size), x=b64(der[-2 * size:-size]), y=b64(der[-size:]))
        else:
            jwk.update(crv="Ed25519", x=b64(der[-32:]))
        return jwk

    def sign(self, data):
        if self.alg == "HS256":
            return hmac.new(self.secret, data, hashlib.sha256).digest()
        if self.alg == "EdDSA":
            path = os.path.join(self.dir, "data")
            with open(path, "wb") as file:
                file.write(data)
            return _openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.file, "-in", path)
        digest = "-sha" + self.alg[2:]
        if self.alg.startswith("PS"):
            return _openssl("dgst", digest, "-sign", self.file, "-sigopt", "rsa_padding_mode:pss",
                            "-sigopt", "rsa_pss_saltlen:-1", data=data)
        signature = _openssl("dgst", digest, "-sign", self.file, data=data)
        if self.alg.startswith("ES"):
            return _raw_signature(signature, _COORDINATE[self.alg])
        return signature

    def token(self, claims=None, header=None, **more):
        """Members that are None in `claims`, `header` or `more` are left out."""
        now = int(time.time())
        whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 600}
        top = {"alg": self.alg, "typ": "JWT", "kid": self.kid}
        whole.update(claims or {}, **more)
        top.update(header or {})
        text = "%s.%s" % (compact({k: v for k, v in top.items() if v is not None}),
                          compact({k: v for k, v in whole.items() if v is not None}))
        return "%s.%s" % (text, b64(self.sign(text.encode())))


class Issuer:
    """The key set of an issuer, served by an origin of the test."""

    def __init__(self, test, keys):
        from .origin import reply
        self._reply = reply
        self.origin = test.origin("issuer")
        self.publish(keys)

    @property
    def url(self):
        return "http://%s:%d/keys" % (self.origin.host, self.origin.port)

    @property
    def count(self):
        """How often it was asked."""
        return self.origin.count

    def publish(self, keys):
        body = json.dumps({"keys": [key.jwk for key in keys]}).encode()
        self.origin.always(self._reply(body=body, headers=[("Content-Type", "application/json")]))

    def fail(self, status=503):
        self.origin.always(self._reply(status, body=b""))
