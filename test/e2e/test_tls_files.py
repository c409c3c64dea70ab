# SPDX-License-Identifier: Apache-2.0
"""Files of TLS that change under a running gateway: no signal, no connection lost, nothing half."""
import os
import re
import shutil
import subprocess
import tempfile
import threading

from lib import run_command, wait_for
from test_tls import V12, V13, Front


class Files(Front):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix="frontdesk-tls-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def place(self, certificate, where=None):
        """The pair under other names, as a listener's entry."""
        pair = {}
        for kind, source in (("cert", certificate.cert), ("key", certificate.key)):
            pair[kind] = os.path.join(where or self.dir, kind + ".pem")
            shutil.copy(source, pair[kind] + ".new")
            os.replace(pair[kind] + ".new", pair[kind])
        return pair

    def serial(self, connection=None):
        return int((connection or self.connect()).getpeercert()["serialNumber"], 16)

    def new_pair(self, serial):
        return self.ca.issue("shop.example", ["shop.example"], serial=serial)

    def wait_serial(self, serial):
        wait_for(lambda: self.serial() == serial, 15, "certificate %d" % serial)

    def certificate(self, front):
        return front.status()["certificates"][0]


class Renewals(Files):
    def test_a_pair_that_is_renamed_into_place(self):
        front = self.front(self.listener([self.place(self.new_pair(1))]))
        kept = self.connect()
        self.assertEqual(self.serial(kept), 1)
        self.place(self.new_pair(2))
        self.wait_serial(2)
        self.assertEqual(self.status(kept), 200)
        self.assertEqual(front.status()["reload"]["count"], 0)
        self.assertEqual(self.certificate(front)["serial"], "02")

    def test_a_symlink_that_is_switched(self):
        """As certbot renews and Kubernetes mounts: the names stay, what they lead to changes."""
        for number in (1, 2):
            os.mkdir(os.path.join(self.dir, str(number)))
            self.place(self.new_pair(number), os.path.join(self.dir, str(number)))
        data = os.path.join(self.dir, "data")
        os.symlink("1", data)
        self.front(self.listener([{"cert": data + "/cert.pem", "key": data + "/key.pem"}]))
        self.assertEqual(self.serial(), 1)
        os.symlink("2", data + ".new")
        os.replace(data + ".new", data)
        self.wait_serial(2)

    def test_half_a_pair_is_not_taken(self):
        pair = self.place(self.new_pair(1))
        front = self.front(self.listener([pair]))
        new = self.new_pair(2)
        shutil.copy(new.key, pair["key"])
        wait_for(lambda: "the files from before stay in use" in front.log(), 15, "the complaint")
        self.assertIn("key %s" % pair["key"], front.log())
        self.assertEqual(self.serial(), 1)
        with open(new.cert) as file:
            text = file.read()
        with open(pair["cert"], "w") as file:  # written in place, with a pause in the middle
            file.write(text[:200])
            file.flush()
            wait_for(lambda: "cert.pem" in (self.certificate(front)["problem"] or ""), 15, "the problem")
            self.assertEqual(self.serial(), 1)
            file.write(text[200:])
        self.wait_serial(2)
        self.assertNotIn("cannot be used", self.certificate(front)["problem"] or "")

    def test_a_file_that_is_gone_for_a_while(self):
        pair = self.place(self.new_pair(1))
        front = self.front(self.listener([pair]))
        os.unlink(pair["cert"])
        wait_for(lambda: "stay in use" in front.log(), 15, "the complaint")
        self.assertEqual(self.serial(), 1)
        self.place(self.new_pair(2))
        self.wait_serial(2)

    def test_requests_go_on_while_files_change(self):
        self.front(self.listener([self.place(self.new_pair(1))]))
        kept, stop, bad = self.connect(), threading.Event(), []

        def ask_on_and_on():
            while not stop.is_set():
                try:
                    for connection in (kept, self.connect()):
                        if self.status(connection) != 200:
                            bad.append("a bad answer")
                except (OSError, AssertionError) as error:
                    bad.append(repr(error))

        thread = threading.Thread(target=ask_on_and_on)
        thread.start()
        try:
            for number in (2, 3, 4):
                self.place(self.new_pair(number))
                self.wait_serial(number)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(bad, [])

    def test_another_authority_of_clients(self):
        """Who was verified by an authority that is trusted no more is not resumed either."""
        authorities = os.path.join(self.dir, "clients.pem")
        old, new = self.authority("old"), self.authority("new")
        shutil.copy(old.file, authorities)
        self.front(self.listener([self.place(self.new_pair(1))], client_certificates="optional",
                                 client_ca=authorities),
                   routes=[{"path": "/", "service": "web", "client_certificate": "required"}])
        was, will_be = (ca.issue("x", ["x.example"]) for ca in (old, new))
        context = self.context((V12, V12), was)
        first = self.connect(context=context)
        self.assertEqual(self.status(first), 200)
        shutil.copy(new.file, authorities + ".new")
        os.replace(authorities + ".new", authorities)

        def newcomer():
            try:
                return self.status(self.connect(context=self.context(certificate=will_be)))
            except OSError:
                return 0
        wait_for(lambda: newcomer() == 200, 15, "the new authority")
        with self.assertRaises(OSError):
            self.ask(self.connect(context=context, session=first.session))

    def test_one_that_ends_soon_is_told_of(self):
        front = self.front(self.listener([self.place(self.new_pair(1))]))
        wait_for(lambda: re.search("expires in 2[34] hours", front.log()), 15, "the warning")
        row = self.certificate(front)
        self.assertEqual(row["names"], ["shop.example"])
        self.assertTrue(0 < row["expires_in_s"] <= 86400)
        self.assertRegex(row["problem"], "expires in 2[34] hours")
        told = front.status()["attention"]
        self.assertEqual([(item["service"], item["state"], item["level"]) for item in told],
                         [(None, "certificate", 2)])
        self.assertIn("cert.pem", told[0]["text"])
        samples = [line for line in front.admin_get("/metrics").body.decode().splitlines()
                   if line.startswith("frontdesk_certificate_expiry_seconds{")]
        self.assertEqual(len(samples), 1)
        self.assertTrue(0 < int(samples[0].split()[-1]) <= 86400)

    def test_one_that_has_expired(self):
        front = self.front(self.listener([self.place(self.ca.issue("x", ["shop.example"], days=-1))]))
        wait_for(lambda: "has expired" in front.log(), 15, "the warning")
        self.assertEqual(front.status()["attention"][0]["level"], 3)
        self.assertTrue(self.certificate(front)["expires_in_s"] < 0)


class Elsewhere(Files):
    def test_the_admin_endpoint(self):
        pair = self.place(self.new_pair(1))
        front = self.static_gateway([self.web])
        front.configure({"admin": {"tls": pair}})  # from here on the library cannot ask it
        front.reload()
        self.port = front.admin_port

        def serial():
            try:
                return self.serial()
            except OSError:
                return 0
        wait_for(lambda: serial() == 1, 10, "TLS")
        shutil.copy(self.new_pair(2).cert, pair["cert"])
        self.assertEqual(self.serial(), 1)  # half of a pair
        self.assertIn("stay in use", front.log())
        self.place(self.new_pair(3))
        self.assertEqual(self.serial(), 3)
        self.assertEqual(self.status(self.connect(), path="/livez"), 200)

    def test_check_reads_them(self):
        pair = self.place(self.new_pair(1))
        front = self.front(self.listener([pair]))
        self.assertEqual(run_command("check", "-c", front.dir + "/conf.d")[0], 0)
        os.unlink(pair["key"])
        status, _, problem = run_command("check", "-c", front.dir + "/conf.d")
        self.assertEqual(status, 1)
        self.assertIn("key %s" % pair["key"], problem)


class Stapling(Files):
    """OCSP responses out of files."""

    def setUp(self):
        super().setUp()
        self.response = os.path.join(self.dir, "response.der")
        self.ecdsa = self.ca.issue("shop.example", ["shop.example"], days=60)
        self.entry = {"cert": self.ecdsa.cert, "key": self.ecdsa.key, "ocsp": self.response}

    def stapled(self, *options):
        """The serial that the response is about; None when none came."""
        done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.port, "-status",
                               "-servername", "shop.example", "-CAfile", self.ca.file, "-verify_return_error",
                               *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=30)
        text = done.stdout.decode(errors="replace")
        if "OCSP response: no response sent" in text:
            return None
        self.assertIn("OCSP Response Status: successful", text)
        self.assertIn("Cert Status: good", text)
        return text.split("Serial Number: ")[1].split()[0]

    def ocsp(self, front):
        row = self.certificate(front)
        return row["ocsp"]["stapled"], row["problem"]

    def test_with_both_versions(self):
        self.ca.staple(self.ecdsa, self.response)
        front = self.front(self.listener([self.entry]))
        for version in ("-tls1_2", "-tls1_3"):
            self.assertEqual(self.stapled(version), "03E9")
        self.assertEqual(self.ocsp(front), (True, None))
        self.assertEqual(self.metric(front), "1")
        self.assertEqual(self.status(self.connect()), 200)  # who does not ask gets none

    def metric(self, front):
        return [line.split()[-1] for line in front.admin_get("/metrics").body.decode().splitlines()
                if line.startswith("frontdesk_certificate_stapled{")][0]

    def test_each_certificate_has_its_own(self):
        rsa = self.ca.issue("shop.example", ["shop.example"], rsa=True, days=60)
        other = os.path.join(self.dir, "rsa.der")
        self.ca.staple(self.ecdsa, self.response)
        self.ca.staple(rsa, other)
        self.front(self.listener([self.entry, {"cert": rsa.cert, "key": rsa.key, "ocsp": other}]))
        for cipher, serial in (("ECDHE-ECDSA-AES128-GCM-SHA256", "03E9"),
                               ("ECDHE-RSA-AES128-GCM-SHA256", "03EA")):
            self.assertEqual(self.stapled("-tls1_2", "-cipher", cipher), serial)
        for kind, serial in (("ecdsa_secp256r1_sha256", "03E9"), ("rsa_pss_rsae_sha256", "03EA")):
            self.assertEqual(self.stapled("-tls1_3", "-sigalgs", kind), serial)

    def test_what_is_not_shown(self):
        another = self.ca.issue("another", ["shop.example"])
        stranger = self.authority("stranger")
        bad = {"missing": lambda: None,
               "no OCSP response": lambda: self.write(b"garbage"),
               "is empty": lambda: self.write(b""),
               "not about this certificate": lambda: self.ca.staple(another, self.response),
               "revoked": lambda: self.ca.staple(self.ecdsa, self.response, revoked=True),
               "not about this certificate (": lambda: stranger.staple(self.ecdsa, self.response)}
        self.entry = dict(self.entry, cert=self.with_issuer())
        front = self.front(self.listener([self.entry]))
        for says, make in bad.items():
            make()
            word = {"missing": "No such file"}.get(says, says.rstrip(" ("))
            wait_for(lambda: word in (self.ocsp(front)[1] or ""), 15, says)
            self.assertIsNone(self.stapled(), says)
        self.assertEqual(self.metric(front), "0")
        self.ca.staple(self.ecdsa, self.response)
        wait_for(lambda: self.stapled() == "03E9", 15, "a good one")
        self.assertEqual(self.ocsp(front), (True, None))

    def with_issuer(self):
        path = os.path.join(self.dir, "chain.pem")
        with open(path, "w") as file:
            for part in (self.ecdsa.cert, self.ca.file):
                with open(part) as source:
                    file.write(source.read())
        return path

    def write(self, data):
        with open(self.response + ".new", "wb") as file:
            file.write(data)
        os.replace(self.response + ".new", self.response)

    def test_one_that_clients_insist_on(self):
        """Without a response browsers would not connect: that is worse than a note."""
        made = self.ca.issue("shop.example", ["shop.example"], days=60, extensions=["tlsfeature=status_request"])
        front = self.front(self.listener([{"cert": made.cert, "key": made.key}]))
        self.assertIn("insist", self.certificate(front)["problem"])
        self.assertEqual(front.status()["attention"][0]["level"], 3)

    def test_a_good_one_goes_on_when_its_successor_is_bad(self):
        self.ca.staple(self.ecdsa, self.response)
        front = self.front(self.listener([self.entry]))
        self.write(b"half of it")
        wait_for(lambda: "the one from before is stapled" in front.log(), 15, "the complaint")
        self.assertEqual(self.stapled(), "03E9")
        stapled, problem = self.ocsp(front)
        self.assertTrue(stapled)
        self.assertIn("no OCSP response", problem)
