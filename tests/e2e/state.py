#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is known survives a restart: kill -9 at random moments while objects change, clusters that are out of reach at the
restart, a state directory that is full, read-only, removed or does not sync.

    state.py [KILLS]       20 by default

Prints one line per check and, last, "N passed, N failed".
"""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from ask import Asker  # noqa: E402
from run import POLL_S, WAIT_S, Daemon, play  # noqa: E402
from shim import Shim  # noqa: E402

SERVICES = 50
SERVICE_BYTES = 120  # and 8 to 19 more: what the objects of one take in the state file
KILLS = 20
CONFIG = """\
apiVersion: pintle.dev/v1alpha1
kind: PintleConfig
clusterSet: demo
clusters:
- {{name: c1, directory: {dir}/clusters/c1}}
- {{name: c2, directory: {dir}/clusters/c2}}
stateDir: {state}
ready: {{minClusters: 2, grace: {grace}s}}
"""


def name_of(service):
    return f"svc{service}.state.svc.clusterset.local"


def manifest(service, address):
    meta = {"name": f"svc{service}", "namespace": "state"}
    labels = {"kubernetes.io/service-name": f"svc{service}"}
    items = [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]}},
        {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport", "metadata": meta},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {"name": f"svc{service}-1", "namespace": "state", "labels": labels},
         "ports": [{"name": "http", "port": 80}], "endpoints": [{"addresses": [address]}]}]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


class World:
    """Two clusters of directories, and the address of each service now and before its latest change."""

    def __init__(self, dir, name):
        self.dir, self.now, self.before = dir / name, {}, {}
        dir = self.dir
        for cluster in ("c1", "c2"):
            (dir / "clusters" / cluster).mkdir(parents=True)
        for service in range(SERVICES):
            self.put(service, f"10.9.0.{service + 1}")
        self.n = 0

    def put(self, service, address):
        path = self.dir / "clusters" / ("c1" if service % 2 else "c2") / f"svc{service}.json"
        new = path.with_suffix(".new")
        new.write_text(manifest(service, address))
        new.rename(path)
        self.before[service], self.now[service] = self.now.get(service, address), address

    def change(self):
        self.n += 1
        self.put(random.randrange(SERVICES), f"10.{10 + self.n // 65025 % 200}.{self.n // 255 % 255}.{self.n % 255 + 1}")

    def hide(self):
        (self.dir / "clusters").rename(self.dir / "hidden")

    def show(self):
        (self.dir / "hidden").rename(self.dir / "clusters")

    def config(self, state="state", grace=1, more=""):
        path = self.dir / "pintle.yaml"
        path.write_text(CONFIG.format(dir=self.dir, state=state, grace=grace) + more)
        return path


def question(daemon, service):
    return Asker(daemon.port)(name_of(service), "A")


def answered(daemon, service):
    """The first reply that is not "not ready": names of a restored state come one after the other."""
    end = time.monotonic() + WAIT_S
    reply = question(daemon, service)
    while (reply.status, reply.ede) == ("SERVFAIL", 14) and time.monotonic() < end:
        time.sleep(POLL_S)
        reply = question(daemon, service)
    return reply


def wait_for(fn, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fn():
            return True
        time.sleep(POLL_S)
    return False


def is_right(daemon, world, service):
    reply = question(daemon, service)
    return reply.status == "NOERROR" and reply.data == [world.now[service]]


def metric(daemon, name):
    found = re.search(rf"^{name} (\S+)$", daemon.get("/metrics")[1], re.M)
    return float(found.group(1)) if found else None


def settle(daemon, world):
    return wait_for(lambda: all(is_right(daemon, world, service) for service in range(SERVICES)))


def is_kept(daemon):
    """Whether all of it is on the disk, so that a kill finds it there: the clusters' lists have been written."""
    return wait_for(lambda: metric(daemon, "pintle_state_bytes") > SERVICES * SERVICE_BYTES)


def restored(world, daemon):
    """Problems of a restart that no cluster helped with: each name must be there, as it was or was just before."""
    problems = []
    for service in range(SERVICES):
        reply = answered(daemon, service)
        if reply.status != "NOERROR" or reply.ede != 3:
            problems.append(f"svc{service}: {reply}")
        elif reply.data not in ([world.now[service]], [world.before[service]]):
            problems.append(f"svc{service}: {reply.data}, it was {world.now[service]} and {world.before[service]} before")
    return problems


def first_answer(daemon):
    """Seconds from the start of the program to its first good answer."""
    while question(daemon, 0).status != "NOERROR":
        pass
    return time.monotonic()


def kills(checks, dir):
    """Killed at a random moment in a stream of changes, started again without its clusters, then with them."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    world = World(dir, "kills")
    problems, worst = [], 0.0
    for i in range(n):
        daemon = Daemon(world.dir, "kill", "--config", world.config())
        try:
            if not wait_for(lambda: metric(daemon, "pintle_cluster_synced{cluster=\"c2\"}") == 1) or not is_kept(daemon):
                problems.append(f"kill {i}: not listed, or not written")
            end = time.monotonic() + random.random() * 0.3
            while time.monotonic() < end:
                world.change()
        finally:
            daemon.stop(signal.SIGKILL)
        world.hide()
        try:
            began = time.monotonic()
            daemon = Daemon(world.dir, "again", "--config", world.config(grace=60))
            worst = max(worst, first_answer(daemon) - began)
            problems += [f"kill {i}: {problem}" for problem in restored_late(world, daemon)]
            text = daemon.log_text()
            if "is not used" in text or "could not be read" in text:
                problems.append(f"kill {i}: {text}")
        finally:
            daemon.stop(signal.SIGKILL)
            world.show()
    checks.check(f"{n} kills at random moments, no bad start; at worst {worst * 1000:.0f} ms to the first answer",
                not problems, "\n".join(problems[:5]))


def restored_late(world, daemon):
    """As restored(), but changes that the daemon had not seen when it was killed may be many."""
    problems = []
    for service in range(SERVICES):
        reply = answered(daemon, service)
        if reply.status != "NOERROR" or reply.ede != 3 or len(reply.data) != 1:
            problems.append(f"svc{service}: {reply}")
    return problems


def out_of_reach(checks, dir):
    """All clusters are gone at a restart: answers as before, no NXDOMAIN, ready; back again: no EDE."""
    world = World(dir, "reach")
    daemon = Daemon(world.dir, "first", "--config", world.config(grace=3600))
    try:
        checks.check("all names are answered before the restart", settle(daemon, world))
        checks.check("and are on the disk", is_kept(daemon))
    finally:
        daemon.stop(signal.SIGKILL)
    world.hide()
    daemon = Daemon(world.dir, "second", "--config", world.config(grace=3600))
    try:
        wait_for(lambda: question(daemon, 0).status == "NOERROR")
        problems = restored(world, daemon)
        checks.check("killed and started without its clusters: every name as before, with EDE 3", not problems,
                    "\n".join(problems[:5]))
        ttls = [record.ttl for record in question(daemon, 1).answer]
        checks.check("its TTL is at most 30", ttls and max(ttls) <= 30, ttls)
        other = Asker(daemon.port)(name_of(0), "AAAA")
        checks.check("a name that is there has no AAAA, which may be said", (other.status, other.ede) == ("NOERROR", 3), other)
        other = Asker(daemon.port)("nobody.state.svc.clusterset.local", "A")
        checks.check("a name that is not known is not denied", (other.status, other.ede) == ("SERVFAIL", 14), other)
        status, text = daemon.get("/readyz?verbose")
        checks.check("what is restored counts as ready, and is told", status == 200 and "of before the restart" in text, text)
        checks.check("the age of what is served is a metric",
                    metric(daemon, "pintle_cluster_stale_seconds{cluster=\"c1\"}") > 0)
        removed = name_of(3)
        (world.dir / "hidden" / "c1" / "svc3.json").unlink()
        world.show()
        checks.check("the clusters are back: no EDE", wait_for(
            lambda: (question(daemon, 0).status, question(daemon, 0).ede) == ("NOERROR", None)))
        checks.check("what they lost while nobody looked is gone", wait_for(
            lambda: Asker(daemon.port)(removed, "A").status == "NXDOMAIN"))
        world.put(3, "10.9.0.4")
        checks.check("all is as before", settle(daemon, world))
    finally:
        daemon.stop()


def one_daemon(checks, dir):
    world = World(dir, "one")
    daemon = Daemon(world.dir, "one", "--config", world.config())
    try:
        Daemon(world.dir, "two", "--config", world.config()).stop()
        checks.check("a second pintled with the same state directory does not start", False)
    except RuntimeError as err:
        checks.check("a second pintled with the same state directory does not start", "another pintled's" in str(err), err)
    finally:
        daemon.stop()


def serves_on(checks, world, daemon, what, harm):
    """Something happens to the directory: answers go on and changes are seen, one error line, a metric."""
    settle(daemon, world)
    harm()
    failing = wait_for(lambda: world.change() or metric(daemon, "pintle_state_up") == 0)
    checks.check(f"{what}: told by a metric", failing)
    checks.check(f"{what}: answers go on and follow changes", settle(daemon, world))
    n = daemon.log_text().count("answers are not touched")
    checks.check(f"{what}: one line in the log", n == 1, daemon.log_text()[-500:])


def heals(checks, world, daemon, what):
    checks.check(f"{what}: written again as soon as it can be",
                wait_for(lambda: metric(daemon, "pintle_state_up") == 1, 3 * WAIT_S), daemon.log_text()[-500:])


def removed_directory(checks, dir):
    world = World(dir, "gone")
    state = world.dir / "removed"
    # Landlock knows the directory that was there, not its name: behind it another one is out of reach until a restart.
    daemon = Daemon(world.dir, "removed-dir", "--config", world.config(state="removed", more="sandbox: {landlock: off}\n"))
    try:
        serves_on(checks, world, daemon, "a directory that is removed", lambda: shutil.rmtree(state))
        heals(checks, world, daemon, "a directory that was removed")
    finally:
        daemon.stop()


def lost_directory(checks, dir):
    """Landlock knows the directory that was there, not its name: the log says that, and what to do."""
    world = World(dir, "lost")
    state = world.dir / "lost"
    daemon = Daemon(world.dir, "lost-dir", "--config", world.config(state="lost"))
    try:
        if "landlock ABI" not in daemon.log_text():
            return
        serves_on(checks, world, daemon, "a directory out of reach", lambda: shutil.rmtree(state))
        state.mkdir()
        told = wait_for(lambda: "start pintled again" in daemon.log_text())
        checks.check("a directory out of reach: the log says what to do", told, daemon.log_text()[-700:])
    finally:
        daemon.stop()
    daemon = Daemon(world.dir, "found-dir", "--config", world.config(state="lost"))
    try:
        heals(checks, world, daemon, "a directory that was out of reach")
        checks.check("and after a restart it has the state", wait_for(lambda: (state / "catalog.pintle").exists()))
    finally:
        daemon.stop()


def failing_disk(checks, dir):
    """fsync says EIO: whoever cannot know what has reached the disk says so, and begins a new file."""
    if not Shim.is_there():
        return
    world = World(dir, "eio")
    shim = Shim(world.dir / "shim")
    daemon = shim.start(world.dir, "failing-disk", "--config", world.config())
    try:
        serves_on(checks, world, daemon, "a disk that does not sync", lambda: shim.order(sync_fails=1))
        checks.check("a disk that does not sync: the line says why", "Input/output error" in daemon.log_text(),
                    daemon.log_text()[-500:])
        shim.order()
        heals(checks, world, daemon, "a disk that did not sync")
        checks.check("what it holds then is all there is", settle(daemon, world))
        time.sleep(1.5)  # what was written is synced within a second
    finally:
        daemon.stop(signal.SIGKILL)
    world.hide()
    daemon = Daemon(world.dir, "failing-disk-again", "--config", world.config(grace=3600))
    try:
        wait_for(lambda: question(daemon, 0).status == "NOERROR")
        problems = restored(world, daemon)
        checks.check("a disk that did not sync: restarted from what was written anew", not problems, "\n".join(problems[:5]))
    finally:
        daemon.stop(signal.SIGKILL)


def full_disk(checks, dir):
    world = World(dir, "full")
    state = world.dir / "small"
    state.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", state], check=True)
    try:
        daemon = Daemon(world.dir, "full-disk", "--config", world.config(state="small"))
        try:
            filler = state / "filler"

            def fill():
                with open(filler, "wb") as out:
                    try:
                        while True:
                            os.write(out.fileno(), b"x" * 512)
                    except OSError:
                        pass
            serves_on(checks, world, daemon, "a full disk", fill)
            filler.unlink()
            heals(checks, world, daemon, "a disk that was full")
        finally:
            daemon.stop(signal.SIGKILL)
        subprocess.run(["mount", "-o", "remount,bind,ro", state], check=True, capture_output=True)
        world.hide()
        daemon = Daemon(world.dir, "read-only", "--config", world.config(state="small"))
        try:
            wait_for(lambda: question(daemon, 0).status == "NOERROR")
            problems = restored(world, daemon)
            checks.check("a read-only directory is read", not problems, "\n".join(problems[:5]))
            world.show()
            checks.check("a read-only directory: answers follow changes", settle(daemon, world))
            checks.check("a read-only directory: told by a metric",
                        wait_for(lambda: metric(daemon, "pintle_state_up") == 0))
        finally:
            daemon.stop(signal.SIGKILL)
    finally:
        subprocess.run(["umount", state], check=False)


if __name__ == "__main__":
    if os.geteuid() != 0:  # a small disk of its own can be mounted by root only, of whatever user namespace
        os.execvp("unshare", ["unshare", "--user", "--map-root-user", "--mount", sys.executable, *sys.argv])
    sys.exit(play("state", out_of_reach, one_daemon, removed_directory, lost_directory, failing_disk, full_disk, kills))
