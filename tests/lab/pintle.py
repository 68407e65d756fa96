# SPDX-License-Identifier: Apache-2.0
"""Pintle under test: the daemon started by its contract, asked with the real dig."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request

import lab

PINTLED = os.environ.get("PINTLED", str(lab.ROOT / "build" / "pintled"))
PINTLECTL = os.environ.get("PINTLECTL", str(lab.ROOT / "build" / "pintlectl"))
STOP_SECONDS = 20


@dataclasses.dataclass
class Answer:
    """What dig printed. `rcode` is NONE when nothing came back."""

    rcode: str = "NONE"
    flags: tuple = ()
    ede: tuple = ()
    answer: list = dataclasses.field(default_factory=list)  # [owner, ttl, class, type, rdata...]
    authority: list = dataclasses.field(default_factory=list)
    additional: list = dataclasses.field(default_factory=list)

    @property
    def is_denial(self):
        """NXDOMAIN as resolvers may keep it: with the SOA of its zone."""
        return (self.rcode == "NXDOMAIN" and not self.answer
                and [rr[3] for rr in self.authority] == ["SOA"])

    @property
    def addresses(self):
        return [rr[4] for rr in self.answer if rr[3] in ("A", "AAAA")]

    @property
    def first(self):
        return self.addresses[0] if self.addresses else self.rcode

    def rdata(self, rrtype):
        return [rr[4:] for rr in self.answer if rr[3] == rrtype]

    @classmethod
    def parse(cls, text):
        found = cls()
        section = None
        for line in text.splitlines():
            if match := re.search(r"status: (\w+)", line):
                found.rcode = match.group(1)
            elif match := re.match(r";; flags: ([a-z ]*);", line):
                found.flags = tuple(match.group(1).split())
            elif match := re.match(r"; EDE: (\d+)", line):
                found.ede += (int(match.group(1)),)
            elif match := re.match(r";; (\w+) SECTION:", line):
                section = {"ANSWER": found.answer, "AUTHORITY": found.authority,
                           "ADDITIONAL": found.additional}.get(match.group(1))
            elif section is not None and line and not line.startswith(";"):
                section.append(line.split())
        return found


def dig(server, port, name, rrtype, *options):
    """One question by the real dig, asked once; a machine that is busy has its time."""
    command = ["dig", "-r", f"@{server}", "-p", port, "+tries=1", "+time=5", *options, name, rrtype]
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    return Answer.parse(done.stdout)


class Pintle:
    """One running daemon. Listeners are asked by the cluster whose askers they stand for."""

    def __init__(self, dir, name):
        self.dir = dir
        self.name = name
        self.log = dir / f"{name}.log"
        self.admin = f"127.0.0.1:{lab.free_port()}"
        self.ports = {}
        self.child = None

    def start_with_flags(self, *flags):
        """Started the way a person does it: no file, one listener, nobody's view."""
        self.ports[None] = lab.free_port()
        self._start("--listen", f"127.0.0.1:{self.ports[None]}", "--admin", self.admin,
                    "--workers", 1, *flags)

    def start_with_config(self, config):
        """One listener for each cluster of the config beside one for the rest of the world, and
        those of the config."""
        listen = list(config.get("listen", ()))
        for cluster in [None] + [cluster["name"] for cluster in config["clusters"]]:
            self.ports[cluster] = lab.free_port()
            entry = {"address": f"127.0.0.1:{self.ports[cluster]}"}
            listen.append(entry if cluster is None else entry | {"cluster": cluster})
        path = self.dir / f"{self.name}.yaml"
        path.write_text(json.dumps({
            "apiVersion": "pintle.dev/v1alpha1", "kind": "PintleConfig",
            "admin": {"address": self.admin}, "workers": 1, "shutdown": {"lameduck": "0s"},
            **config, "listen": listen}, indent=1))
        self._start("--config", path)

    def _start(self, *args):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                [PINTLED, *map(str, args)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def _check_running(self):
        if not self.is_running():
            raise lab.LabError(f"{self.name} has ended by itself, exit {self.child.poll()}")

    def stop(self):
        """Asks it to end; its exit code, or a word when it had to be killed."""
        if self.child is None:
            return 0
        if self.is_running():
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return f"killed after {STOP_SECONDS} s"

    # -- asking

    def dig(self, name, rrtype="A", asker=None, *options):
        self._check_running()
        return dig("127.0.0.1", self.ports[asker], name, rrtype, *options)

    def firsts(self, name, asker=None, n=30):
        """The first address of each of n answers in a row; ends at a question without answer."""
        firsts = []
        while len(firsts) < n and firsts[-1:] != ["NONE"]:
            firsts.append(self.dig(name, "A", asker).first)
        return firsts

    def ctl(self, *args):
        """pintlectl: (exit code, what it said)."""
        done = subprocess.run([PINTLECTL, *args, "--admin", self.admin], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60)
        return done.returncode, done.stdout

    def get(self, path):
        """The admin listener: (status, text); 0 when it does not answer."""
        self._check_running()
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as err:
            return err.code, err.read().decode(errors="replace")
        except OSError as err:
            return 0, str(err)

    def is_ready(self):
        return self.get("/readyz")[0] == 200

    def cluster_up(self, cluster):
        """pintle_cluster_up of a cluster: 0 or 1, None when the metric is not there."""
        pattern = r'^pintle_cluster_up\{[^}]*cluster="%s"[^}]*\} ([01])\b' % re.escape(cluster)
        match = re.search(pattern, self.get("/metrics")[1], re.MULTILINE)
        return int(match.group(1)) if match else None

    def sources(self):
        """What is known of each cluster's source and its kinds."""
        found = json.loads(self.get("/api/v1/clusters")[1])
        return found["items"] if isinstance(found, dict) else found

    def assigned_name(self, cluster, kind, namespace, name):
        """The assigned name of a route from `pintlectl names list -o json`, None when unknown."""
        code, text = self.ctl("names", "list", "-o", "json")
        if code != 0:
            return None
        wanted = {"cluster": cluster, "kind": kind, "namespace": namespace, "name": name}
        for item in json.loads(text)["items"]:
            if all(item.get(key) == value for key, value in wanted.items()):
                return item["assignedName"]
        return None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""
