# SPDX-License-Identifier: Apache-2.0
"""An etcd of one or three members on 127.0.0.1, from the lab's program, for what Pintles share."""

import base64
import http.client
import json
import signal
import ssl
import time
import urllib.error
import urllib.request

import lab

START_SECONDS = 60
# A member that is silent is left after 4 s, an election takes 1 to 2 s; who asks meanwhile is told to come again.
CALM_SECONDS = 30
AGAIN = (0, 429, 503, 504)  # no member, too many requests, unavailable (no leader, another leader), out of time
PASSWORD = "correct horse battery staple"


class Etcd:
    """Members m1..mN in `dir`. With `pki` (a lab.Pki) they speak TLS and want a client's certificate."""

    def __init__(self, dir, n_members, program, pki=None, flags=()):
        self.dir = dir
        self.program = program
        self.pki = pki
        self.flags = flags
        self.token = None
        self.names = [f"m{i + 1}" for i in range(n_members)]
        self.processes = {}
        self.clients = {}
        dir.mkdir(parents=True)
        if pki:  # its gateway is a client of itself, with the same certificate
            pki._issue("etcd", "/CN=etcd", "basicConstraints=critical,CA:FALSE",
                      "extendedKeyUsage=serverAuth,clientAuth", "subjectAltName=IP:127.0.0.1")

    def up(self):
        for attempt in range(3):
            try:
                self._start_all()
                return self
            except lab.LabError as err:
                self.stop()
                if "address already in use" not in str(err) or attempt == 2:
                    raise
        return self

    def _start_all(self):
        scheme = "https" if self.pki else "http"
        peers = {name: f"http://127.0.0.1:{lab.free_port()}" for name in self.names}
        self.clients = {name: f"{scheme}://127.0.0.1:{lab.free_port()}" for name in self.names}
        tls = ["--cert-file", self.pki.path("etcd.crt"), "--key-file", self.pki.path("etcd.key"),
               "--client-cert-auth", "--trusted-ca-file", self.pki.path("ca.crt")] if self.pki else []
        for name in self.names:
            process = lab.Process(self.dir, name)
            self.processes[name] = process
            process.start(list(map(str, [
                self.program, "etcd", "--name", name, "--data-dir", self.dir / f"{name}.data",
                "--unsafe-no-fsync", "--log-level", "warn", "--heartbeat-interval", 100,
                "--election-timeout", 1000, "--listen-client-urls", self.clients[name],
                "--advertise-client-urls", self.clients[name], "--listen-peer-urls", peers[name],
                "--initial-advertise-peer-urls", peers[name], "--initial-cluster",
                ",".join(f"{n}={u}" for n, u in peers.items()), *tls, *self.flags])))
        lab.wait_until("etcd", START_SECONDS, lambda: self.status() is not None, self._check)

    def _check(self):
        for process in self.processes.values():
            process.check_alive()

    def stop(self):
        for process in self.processes.values():
            process.kill()

    # -- its gateway

    def call(self, path, body, names=None, timeout=3):
        """One call, to the first member that is well: (status, object), (0, why) when nobody answers. A token that
        has expired is fetched anew."""
        status, answer = self._call(path, body, names or self.names, timeout, self.token)
        if status == 401 and self.token:
            status, answer = self._authenticate()
            if status == 200:
                status, answer = self._call(path, body, names or self.names, timeout, self.token)
        return status, answer

    def _call(self, path, body, names, timeout, token):
        context = None
        if self.pki:
            context = ssl.create_default_context(cafile=self.pki.path("ca.crt"))
            context.load_cert_chain(self.pki.path("admin.crt"), self.pki.path("admin.key"))
        answer = 0, "no member"
        for name in names:
            request = urllib.request.Request(
                self.clients[name] + path, json.dumps(body).encode(),
                {"Content-Type": "application/json"} | ({"Authorization": token} if token else {}))
            try:
                with urllib.request.urlopen(request, timeout=timeout, context=context) as got:
                    return got.status, json.loads(got.read().splitlines()[0])
            except urllib.error.HTTPError as err:
                answer = err.code, err.read().decode(errors="replace")
                if err.code not in AGAIN:
                    break  # what one refuses, the others need not be asked
            except (OSError, http.client.HTTPException, ValueError, IndexError) as err:
                answer = 0, str(err)
        return answer

    def _authenticate(self):
        """One attempt to get a token; the former one stays where that fails."""
        status, answer = self._call("/v3/auth/authenticate", {"name": "root", "password": PASSWORD},
                                    self.names, 3, None)
        if status == 200:
            self.token = answer["token"]
        return status, answer

    def must(self, path, body, already=None):
        """The answer of a call that has to go well. Members that die and elections get CALM_SECONDS to pass; any other
        refusal is told at once. The words `already` in a refusal mean that what is asked for is so, as it is after an
        attempt whose answer was lost."""
        return self._insist(path, lambda: self.call(path, body), already)

    @staticmethod
    def _insist(path, attempt, already=None):
        end = time.monotonic() + CALM_SECONDS
        while True:
            status, answer = attempt()
            if status == 200:
                return answer
            if already and already in str(answer):
                return {}
            if status not in AGAIN or time.monotonic() > end:
                raise lab.LabError(f"etcd {path}: {status} {answer}")
            time.sleep(0.1)

    def status(self, name=None):
        status, answer = self.call("/v3/maintenance/status", {}, [name] if name else None)
        return answer if status == 200 else None

    def leader(self):
        """The name of the member that leads."""
        def look():
            for name in self.names:
                answer = self.status(name)
                if answer and answer.get("leader") == answer["header"]["member_id"]:
                    return name
            return None
        return lab.wait_until("a leader", START_SECONDS, look)

    def keys(self, prefix):
        """Every key below a prefix with its value."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        answer = self.must("/v3/kv/range", {"key": b64(prefix), "range_end": b64(end)})
        return {base64.b64decode(kv["key"]).decode(): base64.b64decode(kv.get("value", ""))
                for kv in answer.get("kvs", [])}

    def revision(self):
        return int(self.must("/v3/kv/range", {"key": b64("/none")})["header"]["revision"])

    def put(self, key, value):
        self.must("/v3/kv/put", {"key": b64(key), "value": base64.b64encode(value).decode()})

    def delete(self, prefix):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        self.must("/v3/kv/deleterange", {"key": b64(prefix), "range_end": b64(end)})

    def compact(self):
        """Forgets every revision but the latest."""
        self.must("/v3/kv/compaction", {"revision": str(self.revision()), "physical": True},
                  already="has been compacted")

    def want_passwords(self, prefix):
        """root, `writer` and `reader`, who may do what they need below the prefix; then auth is on."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        for user in ("root", "writer", "reader"):
            self.must("/v3/auth/user/add", {"name": user, "password": PASSWORD}, already="already exists")
            self.must("/v3/auth/role/add", {"name": user}, already="already exists")
            self.must("/v3/auth/user/grant", {"user": user, "role": user})
        for role, kind in (("writer", "READWRITE"), ("reader", "READ")):
            self.must("/v3/auth/role/grant", {"name": role, "perm": {
                "permType": kind, "key": b64(prefix), "range_end": b64(end)}})
        self.must("/v3/auth/enable", {}, already="user name is empty")
        self._insist("/v3/auth/authenticate", self._authenticate)

    # -- disturbing

    def kill(self, name):
        self.processes[name].kill()

    def start(self, name):
        """Starts a member again, and waits until it follows a leader: until then the others could not spare another."""
        self.processes[name].start()
        lab.wait_until(f"{name} back", START_SECONDS, lambda: (self.status(name) or {}).get("leader"),
                       self.processes[name].check_alive)

    def freeze(self, name):
        self.processes[name].send(signal.SIGSTOP)

    def thaw(self, name):
        self.processes[name].send(signal.SIGCONT)


def b64(text):
    return base64.b64encode(text.encode()).decode()
