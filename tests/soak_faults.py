#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seven clusters fail for MINUTES beside one that works and 42 directories: refused, silent, up and down every 3 s,
401, 429, 500, a plugin that cannot log in. Fails when an answer moves, when a cluster is asked or listed more than
once in 4 s in the long run, when the log or memory or descriptors grow, or when anything is still lost a minute after
all is mended. Prints how long a change of the healthy cluster took to show before and while the others failed.
"""

import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from soak import GROWTH_MAX_KIB, Daemon  # makes ports known
from ports import free_port  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
FLAP_SECONDS = 3
BACK_SECONDS = 60
RATE_MAX = 0.25  # of lists of one kind, and of probes of a cluster that is down
LINES_MAX = 40   # of the log for one cluster, in ten minutes: five of it and of each of its four kinds, and what mends
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
SERVICES = "/api/v1/services"
DIRECTORIES = 42
CLUSTERS = ("good", "gone", "silent", "flaps", "denied", "busy", "broken", "plugin")
FAULTS = {
    "denied": {"status": 401},
    "busy": {"status": 429, "headers": {"Retry-After": "7"}},
    "broken": {"status": 500},
}
PLUGIN = ('[ ! -e "$0.broken" ] || { echo "no way in" >&2; exit 1; }\n'
          'printf \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":\'\n'
          'printf \'{"token":"t","expirationTimestamp":"%s"}}\' "$(date -u -d "20 seconds" +%Y-%m-%dT%H:%M:%SZ)"\n')


def name_of(cluster):
    return f"web.d.svc.{cluster}.cluster.local"


class Fake:
    """tests/sync/fake_api.py as a child, with one headless Service that has one endpoint."""

    def __init__(self, address):
        self.child = subprocess.Popen([sys.executable, HERE / "sync" / "fake_api.py"], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.child.stdout.readline())
        meta = {"name": "web", "namespace": "d"}
        self.put(SERVICES, {"metadata": meta, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}})
        self.show(address)

    def do(self, order):
        self.child.stdin.write(json.dumps(order) + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline()

    def put(self, path, item):
        self.do({"do": "put", "path": path, "object": item})

    def show(self, address):
        self.put(SLICES, {"metadata": {"name": "web-1", "namespace": "d",
                                       "labels": {"kubernetes.io/service-name": "web"}},
                          "addressType": "IPv4", "ports": [{"port": 80}],
                          "endpoints": [{"addresses": [address], "conditions": {"ready": True}}]})

    def fail(self, **how):
        self.do({"do": "fault", "match": "/", "times": 1 << 30, **how})
        self.do({"do": "drop"})

    def mend(self):
        self.do({"do": "mend"})

    def count(self, part):
        return sum(part in path for path in json.loads(self.do({"do": "seen"})))

    def end(self):
        self.child.send_signal(signal.SIGCONT)
        self.child.kill()
        self.child.wait()


class Watched(Daemon):
    """A pintled with all clusters, its log in a file."""

    def __init__(self, folder, fakes):  # pylint: disable=super-init-not-called
        plugin = folder / "plugin"
        plugin.write_text(PLUGIN)
        self.broken = folder / "plugin.broken"
        user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
                         "interactiveMode": "Never", "args": [str(plugin)]}}
        (folder / "kubeconfig").write_text(json.dumps({
            "clusters": [{"name": name, "cluster": {"server": f"http://127.0.0.1:{fake.port}"}}
                         for name, fake in fakes.items()],
            "users": [{"name": "u", "user": {"token": "t"}}, {"name": "plugin", "user": user}],
            "contexts": [{"name": name, "context": {
                "cluster": name, "user": "plugin" if name == "plugin" else "u"}} for name in fakes]}))
        self.port, self.admin = free_port(), f"127.0.0.1:{free_port()}"
        (folder / "config").write_text(json.dumps({
            "apiVersion": "pintle.dev/v1alpha1", "kind": "PintleConfig", "workers": 1,
            "listen": [{"address": f"127.0.0.1:{self.port}"}], "admin": {"address": self.admin},
            "shutdown": {"lameduck": "0s"},
            "clusters": [{"name": name, "context": name, "kubeconfig": str(folder / "kubeconfig")}
                         for name in fakes] + self.directories(folder)}))
        self.log = folder / "log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [os.environ["PINTLED"], "--config", str(folder / "config")], stderr=log)
        self.connect()

    @staticmethod
    def directories(folder):
        """Clusters that make it fifty."""
        for i in range(DIRECTORIES):
            (folder / f"d{i}").mkdir()
            (folder / f"d{i}" / "web.json").write_text(json.dumps({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "d"},
                "spec": {"clusterIP": f"10.7.0.{i + 1}", "ports": [{"port": 80}]}}))
        return [{"name": f"d{i}", "directory": str(folder / f"d{i}")} for i in range(DIRECTORIES)]

    def up(self):
        try:
            with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=5) as page:
                found = dict(re.findall(r'^pintle_cluster_up\{cluster="(\w+)"\} (\d)',
                                        page.read().decode(), re.M))
                return {name: found.get(name) for name in CLUSTERS}
        except OSError as err:
            return str(err)  # still starting

    def wait_up(self, wanted, seconds):
        deadline = time.monotonic() + seconds
        while (now := self.up()) != wanted:
            if time.monotonic() > deadline:
                raise RuntimeError(f"clusters up after {seconds} s: {now}")
            time.sleep(0.2)
        return seconds - (deadline - time.monotonic())


def measure(daemon, fake, numbers, until):
    """How long changes of the healthy cluster take to show, in ms, until that time."""
    took = []
    while time.monotonic() < until or len(took) < 20:
        address = f"10.9.{(number := next(numbers)) // 250 % 250}.{number % 250 + 1}"
        began = time.monotonic()
        fake.show(address)
        daemon.wait_for(name_of("good"), address, 5)
        took.append(1000 * (time.monotonic() - began))
        time.sleep(0.05)
    return took


def figures(took):
    return f"p50 {statistics.median(took):.1f} ms, p90 {sorted(took)[len(took) * 9 // 10]:.1f} ms ({len(took)})"


def break_all(daemon, fakes):
    fakes["silent"].child.send_signal(signal.SIGSTOP)
    fakes["gone"].end()
    daemon.broken.touch()
    for name, how in FAULTS.items():
        fakes[name].fail(**how)


def mend_all(daemon, fakes):
    fakes["silent"].child.send_signal(signal.SIGCONT)
    daemon.broken.unlink()
    for name in (*FAULTS, "flaps"):
        fakes[name].mend()


def fail_for(daemon, fakes, seconds, numbers):
    """All but one fail. Returns the times of changes, and memory and descriptors after a quarter and at the end."""
    began, took, warm, is_flap_up = time.monotonic(), [], None, True
    kept = {name: daemon.ask(name_of(name)) for name in CLUSTERS if name != "good"}
    break_all(daemon, fakes)
    while time.monotonic() - began < seconds:
        is_flap_up = not is_flap_up
        (fakes["flaps"].mend() if is_flap_up else fakes["flaps"].fail(close=True))
        took += measure(daemon, fakes["good"], numbers, time.monotonic() + FLAP_SECONDS)
        for name, addresses in kept.items():
            if daemon.ask(name_of(name)) != addresses:
                raise RuntimeError(f"the answer of {name} has moved")
        if warm is None and time.monotonic() - began > seconds / 4:
            warm = (daemon.memory_kib(), daemon.descriptors())
    return took, warm, (daemon.memory_kib(), daemon.descriptors())


def find_problems(daemon, fakes, seconds, warm, end):
    """What broke a bound. The first minute of a fault may have more probes than one in 4 s."""
    problems, lines = [], daemon.log.read_text().splitlines()
    for name in (*FAULTS, "flaps"):
        lists = fakes[name].count(f"{SERVICES}?limit")
        probes = fakes[name].count("/livez")
        if lists > 2 + RATE_MAX * seconds:
            problems.append(f"{name}: {lists} lists of Services in {seconds:.0f} s")
        if name != "flaps" and probes > 20 + RATE_MAX * seconds:
            problems.append(f"{name}: {probes} probes in {seconds:.0f} s")
    for name in CLUSTERS:
        n = sum(f"cluster {name}:" in line for line in lines)
        if n > LINES_MAX * (1 + seconds // 600):
            problems.append(f"{name}: {n} lines in the log")
    if end[0] - warm[0] > GROWTH_MAX_KIB:
        problems.append(f"memory grew from {warm[0]} to {end[0]} KiB")
    if end[1] > warm[1] + 2 * len(CLUSTERS):  # connections of what is up just now
        problems.append(f"descriptors grew from {warm[1]} to {end[1]}")
    return problems


def main():
    seconds = 60 * float(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SOAK_MINUTES", 10))
    fakes = {name: Fake(f"10.8.0.{i + 1}") for i, name in enumerate(CLUSTERS)}
    numbers = iter(range(1 << 30))
    with tempfile.TemporaryDirectory() as folder:
        daemon = None
        try:
            daemon = Watched(pathlib.Path(folder), fakes)
            daemon.wait_up({name: "1" for name in CLUSTERS}, 30)
            for i, name in enumerate(CLUSTERS):
                daemon.wait_for(name_of(name), f"10.8.0.{i + 1}", 10)
            before = measure(daemon, fakes["good"], numbers, time.monotonic() + min(20, seconds / 4))
            during, warm, end = fail_for(daemon, fakes, seconds, numbers)
            problems = find_problems(daemon, fakes, seconds, warm, end)
            mend_all(daemon, fakes)
            back = daemon.wait_up({name: str(int(name != "gone")) for name in CLUSTERS}, BACK_SECONDS)
            code = daemon.stop()
            if code != 0:
                problems.append(f"pintled left with {code}")
            n_lines = len(daemon.log.read_text().splitlines())
        finally:
            if daemon is not None:
                daemon.process.kill()
                daemon.process.wait()
            for fake in fakes.values():
                fake.end()
    print(f"soak: {len(CLUSTERS) - 1} clusters failed for {seconds:.0f} s, all back after {back:.1f} s; a change of the "
          f"healthy one took {figures(before)} before and {figures(during)} meanwhile; memory {warm[0]} -> {end[0]} KiB, "
          f"descriptors {warm[1]} -> {end[1]}, {n_lines} lines of log")
    print("\n".join(f"soak: {problem}" for problem in problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
