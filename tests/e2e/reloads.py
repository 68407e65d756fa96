#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The configuration of a running pintled, changed: what is in force afterwards, and that no question is lost.

Same form of report as run.py, whose tools it uses.
"""

import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import sys
import threading
import time

import run
import wire
from run import SLOW, Daemon, play

N_RELOADS = 20
RD = 0x100
LOST_S = 30  # an answer that has not come by then is lost; a machine that stands still is not long enough
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: apps, annotations: {{service.cilium.io/global: "true"}}}}
spec: {{clusterIP: {ip}, ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: apps, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: http, port: 80}}]
endpoints: [{{addresses: [{endpoint}]}}]
"""
ROW = "  - {{name: {name}, directory: clusters/{name}}}\n"
WEB = "web.apps.svc.clusterset.local"


def cluster(dir, name, i):
    """A cluster with a name of its own, and one that all have."""
    home = dir / "clusters" / name
    home.mkdir(parents=True)
    (home / "own.yaml").write_text(SERVICE.format(name=f"own-{name}", ip=f"10.96.{i}.2", endpoint=f"10.{i}.0.2"))
    (home / "web.yaml").write_text(SERVICE.format(name="web", ip=f"10.96.{i}.1", endpoint=f"10.{i}.0.1"))


def own(name):
    return f"own-{name}.apps.svc.clusterset.local"


def config(dir, clusters, more=""):
    """A file in the place of the one before, as editors write it."""
    fresh = dir / ".pintle.new"
    fresh.write_text("apiVersion: pintle.dev/v1alpha1\nkind: PintleConfig\nworkers: 2\n" + more + "clusters:\n"
                     + "".join(ROW.format(name=name) for name in clusters))
    fresh.rename(dir / "pintle.yaml")


def start(dir, clusters=("c1", "c2"), more=""):
    for i, name in enumerate(("c1", "c2", "c3", "c4")):
        if not (dir / "clusters" / name).exists():
            cluster(dir, name, i + 1)
    config(dir, clusters, more)
    return Daemon(dir, "reloads", "--config", dir / "pintle.yaml", "--listen", "127.0.0.1:0")


def metric(daemon, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", daemon.get("/metrics")[1], re.M)
    return float(found.group(1)) if found else None


def in_force(daemon):
    return metric(daemon, 'pintle_config_reloads_total{result="ok"}')


def status(daemon):
    return json.loads(daemon.get("/api/v1/reload")[1])


def reload_wait(daemon):
    return daemon.ctl("reload", "--wait", "--timeout", "60s")


def lists(daemon, name):
    """How often a cluster's Services were listed."""
    rows = [row for row in json.loads(daemon.get("/api/v1/clusters")[1])["items"] if row["name"] == name]
    return [kind["lists"] for kind in rows[0]["kinds"] if kind["kind"] == "Service"]


# --- what a reload changes -------------------------------------------------------------------------


def clusters(checks, dir):
    daemon = start(dir)
    checks.becomes("clusters of the file are served", lambda: sorted(daemon.dig(WEB).data),
                   lambda data: data == ["10.1.0.1", "10.2.0.1"])
    before = lists(daemon, "c2")
    drained = daemon.ctl("drain", "service", "c2/apps/web")
    checks.equal("something is drained by hand", drained[0], 0)
    config(dir, ["c3", "c2", "c1"])
    checks.equal("reload --wait ends well and says what changed", reload_wait(daemon),
                 (0, "in force, changed: clusters\n", ""))
    checks.becomes("a cluster that was added is served", lambda: daemon.dig(own("c3")).status,
                   lambda seen: seen == "NOERROR")
    checks.becomes("a drain goes on, beside clusters in another order", lambda: sorted(daemon.dig(WEB).data),
                   lambda data: data == ["10.1.0.1", "10.3.0.1"])
    checks.equal("a cluster that stays is not listed again", lists(daemon, "c2"), before)
    (dir / "clusters" / "c2" / "late.yaml").write_text(SERVICE.format(name="late", ip="10.96.2.9", endpoint="10.2.0.9"))
    checks.becomes("its changes still come", lambda: daemon.dig("late.apps.svc.clusterset.local").data,
                   lambda data: data == ["10.2.0.9"])
    config(dir, ["c2", "c3"])
    checks.equal("a cluster can go", reload_wait(daemon)[0], 0)
    checks.equal("and so do its names", daemon.dig(own("c1")).status, "NXDOMAIN")
    checks.equal("the others' names stay", daemon.dig(own("c2")).status, "NOERROR")
    checks.equal("no question was answered with SERVFAIL", servfails(daemon), 0)
    daemon.stop()


def servfails(daemon):
    return sum(float(n) for n in re.findall(r'^pintle_dns_queries_total\{.*rcode="SERVFAIL".*\} (\S+)$',
                                            daemon.get("/metrics")[1], re.M))


def settings(checks, dir):
    zone = dir / "corp.zone"
    zone.write_text("$ORIGIN corp.example.\n@ 60 IN SOA ns1 host 1 60 60 60 5\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.1\n"
                    "www 60 IN A 192.0.2.7\n")
    daemon = start(dir)
    checks.becomes("served", lambda: daemon.dig(own("c1")).status, lambda seen: seen == "NOERROR")
    checks.equal("a zone that is not ours", daemon.dig("www.corp.example").status, "REFUSED")
    config(dir, ["c1", "c2"], "defaultCluster: c1\nsteering: {ttl: 17}\nlog: {level: debug}\n"
                              "zones: {files: [{zone: corp.example, file: corp.zone}]}\n")
    checks.equal("zones, steering and the default cluster change", reload_wait(daemon)[:2],
                 (0, "in force, changed: defaultCluster, steering, log, zones\n"))
    checks.equal("the zone's file is served", daemon.dig("www.corp.example").data, ["192.0.2.7"])
    checks.equal("names have the other TTL", [row[1] for row in daemon.dig(own("c1")).answer], ["17"])
    checks.equal("an asker of no cluster has the default one's view", daemon.dig("own-c1.apps.svc.cluster.local").data,
                 ["10.96.1.2"])
    zone.write_text(zone.read_text().replace("host 1 ", "host 2 ").replace("192.0.2.7", "192.0.2.8"))
    checks.becomes("the file is followed", lambda: daemon.dig("www.corp.example").data,
                   lambda data: data == ["192.0.2.8"])
    daemon.stop()


def broken(checks, dir):
    daemon = start(dir)
    checks.becomes("served", lambda: daemon.dig(own("c1")).status, lambda seen: seen == "NOERROR")
    path = dir / "pintle.yaml"
    config(dir, ["c1"], "bogus: 1\n")
    code, out, err = reload_wait(daemon)
    checks.check("a bad file: exit code 1, its place, and nothing on standard output",
                 code == 1 and f"{path}:4:1: unknown key \"bogus\"" in err and out == "", (code, out, err))
    checks.equal("the configuration before is in force", daemon.dig(own("c2")).status, "NOERROR")
    checks.equal("the metric says that the file is not", metric(daemon, "pintle_config_last_reload_successful"), 0)
    checks.equal("it stays ready", daemon.get("/readyz")[0], 200)
    config(dir, ["c1"], "streams: {idleTimeout: 5s}\n")
    code, out, err = reload_wait(daemon)
    checks.check("a key that needs a replacement is named, and nothing changes",
                 code == 1 and f"{path}:4:1: streams: a change needs a replacement ('pintlectl replace --wait')" in err, (code, out, err))
    path.unlink()
    checks.equal("no file: exit code 1", reload_wait(daemon)[0], 1)
    checks.equal("names are answered all the while", daemon.dig(own("c2")).status, "NOERROR")
    config(dir, ["c1"])
    checks.equal("a good file ends that", reload_wait(daemon)[0], 0)
    checks.equal("the metric says so", metric(daemon, "pintle_config_last_reload_successful"), 1)
    checks.equal("its cluster is gone", daemon.dig(own("c2")).status, "NXDOMAIN")
    daemon.stop()


def steady(look, seconds=2 * SLOW):
    """What look() gives when it has given the same for some seconds."""
    seen, since = look(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.1)
        if (now := look()) != seen:
            seen, since = now, time.monotonic()
    return seen


def contained(checks, dir):
    """The first process of a container is not replaced: what is refused says what to do there, by the order and in the log."""
    space = run.apart("--fork", "--pid", "--kill-child")
    if not space:
        checks.check("a namespace of processes can be had", False, "root, or sysctl kernel.unprivileged_userns_clone=1")
        return
    original, shell = run.PINTLED, dir / "contained"
    shell.write_text(f'#!/bin/sh\nexec {" ".join(space)} {original} "$@"\n')
    shell.chmod(0o755)
    run.PINTLED = str(shell)
    try:
        daemon = start(dir)
    finally:
        run.PINTLED = original
    first = int(pathlib.Path(f"/proc/{daemon.child.pid}/task/{daemon.child.pid}/children").read_text())
    checks.becomes("served", lambda: daemon.dig(own("c1")).status, lambda seen: seen == "NOERROR")
    wanted = "streams: a change needs a restart: start the container anew ('kubectl rollout restart')"
    config(dir, ["c1", "c2"], "streams: {idleTimeout: 5s}\n")
    code, _, err = reload_wait(daemon)
    checks.check("a reload that is refused names the way there", code == 1 and wanted in err, (code, err))
    n = steady(lambda: daemon.log_text().count(wanted))  # the file itself was seen, too
    os.kill(first, signal.SIGHUP)
    checks.becomes("so it does in the log for SIGHUP", lambda: daemon.log_text().count(wanted), lambda seen: seen > n)
    code, _, err = daemon.ctl("replace", "--wait")
    checks.check("and a replacement that is refused", code == 1 and "start the container anew ('kubectl rollout restart')" in err, (code, err))
    os.kill(first, signal.SIGINT)
    checks.equal("it ends well", daemon.stop(signal.SIGCHLD), 0)


def ways(checks, dir):
    daemon = start(dir, ["c1"])
    checks.becomes("served", lambda: daemon.dig(own("c1")).status, lambda seen: seen == "NOERROR")
    config(dir, ["c1", "c2"])
    checks.becomes("a file that changes is read by itself", lambda: daemon.dig(own("c2")).status,
                   lambda seen: seen == "NOERROR")
    n = in_force(daemon)
    daemon.child.send_signal(signal.SIGHUP)
    checks.becomes("SIGHUP reads it again", lambda: in_force(daemon), lambda seen: seen > n)
    n = in_force(daemon)
    daemon.child.send_signal(signal.SIGUSR1)
    checks.becomes("so does SIGUSR1, which ends nothing", lambda: in_force(daemon), lambda seen: seen > n)
    daemon.stop()
    mounted = dir / "mounted"
    for i, names in enumerate((["c1"], ["c1", "c3"])):
        version = mounted / f"..2026_{i}"
        version.mkdir(parents=True)
        (version / "pintle.yaml").write_text((dir / "pintle.yaml").read_text().split("clusters:")[0] + "clusters:\n" + "".join(
            f"  - {{name: {name}, directory: {dir}/clusters/{name}}}\n" for name in names))
    os.symlink("..2026_0", mounted / "..data")
    os.symlink("..data/pintle.yaml", mounted / "pintle.yaml")
    daemon = Daemon(dir, "mounted", "--config", mounted / "pintle.yaml")
    checks.becomes("a ConfigMap is served", lambda: daemon.dig(own("c1")).status, lambda seen: seen == "NOERROR")
    os.symlink("..2026_1", mounted / "..data_tmp")
    os.rename(mounted / "..data_tmp", mounted / "..data")
    checks.becomes("a ConfigMap that is swapped is read by itself", lambda: daemon.dig(own("c3")).status,
                   lambda seen: seen == "NOERROR")
    daemon.stop()


def ends(checks, dir):
    """The end, while a reload is under way."""
    codes = []
    for i in range(6):
        daemon = start(dir, more="forward: [{zone: ., to: ['127.0.0.1:9']}]\n")
        config(dir, ["c1", "c3", "c2"] if i % 2 else ["c2"], f"forward: [{{zone: ., to: ['127.0.0.1:{i + 10}']}}]\n")
        for _ in range(i):
            daemon.child.send_signal(signal.SIGHUP)
            time.sleep(0.001 * i)
        codes.append(daemon.stop(signal.SIGINT))
    checks.equal("an end within a reload is an end", codes, [0] * 6)


# --- under load --------------------------------------------------------------------------------------


class Load(threading.Thread):
    """Asks over UDP and over one connection that stays, eight questions at a time; nothing is asked twice.

    With `rounds` the connection is another one after so many.
    """

    transports = "UDP and TCP"

    def __init__(self, port, names, rounds=None):
        super().__init__()
        self.port, self.names, self.rounds = port, names, rounds
        self.n_asked = self.n_answered = self.n_wrong = 0
        self.lost = []
        self.stopping = threading.Event()

    def judge(self, name, data):
        self.n_answered += 1
        rcode, n_answers = data[3] & 15, struct.unpack("!H", data[6:8])[0]
        if rcode != 0 or n_answers == 0:
            self.n_wrong += 1
            self.lost.append(f"{name}: rcode {rcode}, {n_answers} records")

    def run(self):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.connect(("127.0.0.1", self.port))
        try:
            while not self.stopping.is_set():
                self.connection(udp)
        except OSError as err:
            self.lost.append(f"{err}")
        udp.close()

    def connection(self, udp):
        n_rounds = 0
        with wire.Stream(self.port, timeout_s=LOST_S) as stream:
            while not self.stopping.is_set() and n_rounds != self.rounds:
                n_rounds += 1
                self.round_udp(udp)
                self.round_tcp(stream)

    def batch(self):
        asked = {}
        for i in range(8):
            self.n_asked += 1
            asked[self.n_asked & 0xffff] = self.names[(self.n_asked + i) % len(self.names)]
        return asked

    def round_udp(self, udp):
        asked = self.batch()
        for ident, name in asked.items():
            udp.send(wire.query(name, ident=ident, flags=RD))
        end = time.monotonic() + LOST_S
        while asked and time.monotonic() < end:
            if select.select([udp], [], [], 1)[0]:
                data = udp.recv(65535)
                name = asked.pop(struct.unpack("!H", data[:2])[0], None)
                if name is not None:
                    self.judge(name, data)
        self.lost += [f"{name} over UDP" for name in asked.values()]

    def round_tcp(self, stream):
        asked = self.batch()
        for ident, name in asked.items():
            stream.send(wire.query(name, ident=ident, flags=RD))
        while asked:
            data = stream.receive()
            if data is None:
                raise OSError(f"the connection ended with {len(asked)} questions")
            self.judge(asked.pop(struct.unpack("!H", data[:2])[0]), data)


def loaded(checks, daemon, names, step, n, others=()):
    """Calls step(i) n times while questions are asked."""
    loads = [Load(daemon.port, names) for _ in range(2)] if not others else others
    for load in loads:
        load.start()
    for i in range(n):
        step(i)
    for load in loads:
        load.stopping.set()
    for load in loads:
        load.join()
    asked, answered = sum(load.n_asked for load in loads), sum(load.n_answered for load in loads)
    lost = [what for load in loads for what in load.lost]
    transports = ", ".join(sorted({load.transports for load in loads}))
    checks.check(f"{asked} questions over {transports}: all were answered, and rightly",
                 asked == answered and not lost and asked >= n, (asked, answered, lost[:5]))


def load(checks, dir, n=None):
    n = n or max(2, N_RELOADS // SLOW)
    daemon = start(dir, more="defaultCluster: c2\n")
    checks.becomes("served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")
    orders = (["c3", "c2"], ["c2"], ["c4", "c1", "c2"], ["c2", "c4", "c3", "c1"])
    codes, gone = [], []

    def step(i):
        config(dir, orders[i % len(orders)], f"defaultCluster: c2\nsteering: {{ttl: {5 + i % 7}}}\n")
        codes.append(reload_wait(daemon)[0])
        if i % 5 == 4:
            config(dir, ["c2"], "bogus: [\n")
            gone.append(reload_wait(daemon)[0])
        if daemon.get("/livez")[0] != 200:
            gone.append("admin")

    loaded(checks, daemon, [WEB, own("c2"), "own-c2.apps.svc.cluster.local", "own-c2.apps.svc.c2.cluster.local"], step, n)
    checks.check(f"{n} reloads under load: each is in force when it says so", codes == [0] * n, codes)
    checks.check("broken files in between change nothing, and the admin side answers", set(gone) <= {1}, gone)
    checks.check("each is counted", status(daemon)["failed"] >= len(gone), status(daemon))
    checks.equal("the end is clean", daemon.stop(), 0)


def main():
    return play("reloads", clusters, settings, broken, contained, ways, ends, load)


if __name__ == "__main__":
    sys.exit(main())
