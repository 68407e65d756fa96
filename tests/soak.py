#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks and changes a pintled for MINUTES; fails when an answer is lost or wrong, or memory or descriptors grow.

Two cluster directories hold the same Services. Every round rewrites one Service's endpoints in one of them and
asks until the new address shows, with UDP questions for all names in between and a TCP connection now and then.
"""

import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
from ports import free_port  # noqa: E402

SERVICES = 200
GROWTH_MAX_KIB = 4096  # allowed between the end of the warm-up and the end
TYPE_A, CLASS_IN, RCODE_MASK = 1, 1, 0x000F


def name_of(service):
    return f"svc{service}.soak.svc.clusterset.local"


def manifest(service, address):
    meta = {"name": f"svc{service}", "namespace": "soak"}
    labels = {"kubernetes.io/service-name": f"svc{service}"}
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"clusterIP": "None", "ports": [{"port": 80, "targetPort": 80}]}},
        {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport", "metadata": meta},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {"name": f"svc{service}-1", "namespace": "soak", "labels": labels},
         "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
         "endpoints": [{"addresses": [address], "conditions": {"ready": True}}]},
    ]})


def write(clusters, cluster, service, address):
    path = clusters / cluster / f"svc{service}.json"
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(manifest(service, address), encoding="utf-8")
    fresh.rename(path)


def question(ident, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", ident, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", TYPE_A, CLASS_IN)


def addresses(wire, asked):
    """The A records of an answer whose question is `asked`; their owners are compressed or repeated."""
    ident, flags, _, n_answers, _, _ = struct.unpack(">6H", wire[:12])
    if ident != struct.unpack(">H", asked[:2])[0] or flags & RCODE_MASK:
        raise ValueError(f"rcode {flags & RCODE_MASK}")
    if wire[12:len(asked)] != asked[12:]:
        raise ValueError("an answer to another question")
    at, found = len(asked), set()
    for _ in range(n_answers):
        while wire[at] and wire[at] < 0xC0:
            at += wire[at] + 1
        at += 2 if wire[at] >= 0xC0 else 1
        kind, _, _, size = struct.unpack(">2HIH", wire[at:at + 10])
        at += 10
        if kind == TYPE_A:
            found.add(socket.inet_ntoa(wire[at:at + size]))
        at += size
    return found


class Daemon:
    """One pintled on the given cluster directories, and what /proc says of it."""

    def __init__(self, clusters):
        self.port = free_port()
        self.process = subprocess.Popen([
            os.environ["PINTLED"], "--clusters-dir", str(clusters), "--workers", "1",
            "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{free_port()}"])
        self.connect()

    def connect(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.settimeout(2)
        self.udp.connect(("127.0.0.1", self.port))

    def ask(self, name):
        asked = question(random.randrange(65536), name)
        self.udp.send(asked)
        while True:
            wire = self.udp.recv(4096)
            if wire[:2] == asked[:2]:  # an earlier one may have come too late
                return addresses(wire, asked)

    def ask_tcp(self, name):
        asked = question(random.randrange(65536), name)
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as tcp:
            tcp.sendall(struct.pack(">H", len(asked)) + asked)
            with tcp.makefile("rb") as stream:
                size = struct.unpack(">H", stream.read(2))[0]
                return addresses(stream.read(size), asked)

    def wait_for(self, name, address, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if address in self.ask(name):
                    return
            except (ValueError, OSError):
                pass  # still starting
            time.sleep(0.002)
        raise RuntimeError(f"{name} does not show {address} after {seconds} s")

    def memory_kib(self):
        """What it has for itself: the share of libraries depends on who else runs."""
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss_Anon:"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=15)


def soak(daemon, clusters, shown, seconds):
    """`shown` says which addresses each Service has: each answer must be just these."""
    started, warm, n_rounds = time.monotonic(), None, 0
    while time.monotonic() - started < seconds:
        cluster, service = random.choice(("c1", "c2")), random.randrange(SERVICES)
        address = f"10.{20 if cluster == 'c1' else 30}.{random.randrange(256)}.{random.randrange(1, 255)}"
        write(clusters, cluster, service, address)
        daemon.wait_for(name_of(service), address, 5)
        shown[service][cluster] = address
        for other in (service, *range(n_rounds % 10, SERVICES, 10)):
            if (found := daemon.ask(name_of(other))) != set(shown[other].values()):
                raise RuntimeError(f"{name_of(other)} has {found} in place of {shown[other]}")
        if n_rounds % 50 == 0 and daemon.ask_tcp(name_of(service)) != set(shown[service].values()):
            raise RuntimeError(f"{name_of(service)} differs over TCP")
        n_rounds += 1
        if warm is None and time.monotonic() - started > seconds / 4:
            warm = (daemon.memory_kib(), daemon.descriptors())
    return n_rounds, warm, (daemon.memory_kib(), daemon.descriptors())


def main():
    seconds = 60 * float(sys.argv[1] if len(sys.argv) > 1 else 10)
    with tempfile.TemporaryDirectory() as folder:
        clusters = pathlib.Path(folder)
        shown = [{} for _ in range(SERVICES)]
        for cluster, net in (("c1", 20), ("c2", 30)):
            (clusters / cluster).mkdir()
            for service in range(SERVICES):
                shown[service][cluster] = f"10.{net}.0.{service + 1}"
                write(clusters, cluster, service, shown[service][cluster])
        daemon = Daemon(clusters)
        try:
            for service in range(SERVICES):
                for address in shown[service].values():
                    daemon.wait_for(name_of(service), address, 10)
            n_rounds, warm, end = soak(daemon, clusters, shown, seconds)
        finally:
            code = daemon.stop()
    problems = []
    if code != 0:
        problems.append(f"pintled left with {code}")
    if end[0] - warm[0] > GROWTH_MAX_KIB:
        problems.append(f"memory grew from {warm[0]} to {end[0]} KiB")
    if end[1] > warm[1]:
        problems.append(f"descriptors grew from {warm[1]} to {end[1]}")
    print(f"soak: {n_rounds} changes in {seconds:.0f} s, memory {warm[0]} -> {end[0]} KiB, "
          f"descriptors {warm[1]} -> {end[1]}")
    print("\n".join(f"soak: {problem}" for problem in problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
