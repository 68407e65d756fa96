#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pintled is killed, or its server breaks down, between a record and its TXT record. The server is a webhook that writes
one set after the other, as many providers behind external-dns do, and forgets the rest when it is cut off.

At no moment is there a record of ours that nobody owns; nobody else's changes; and what is begun is ended once both run.

Prints one line per check and, last, "N passed, N failed".
"""

import http.server
import json
import os
import pathlib
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "providers")]
import servers  # noqa: E402
from records import PINTLED, SLOW, service  # noqa: E402
from servers import check, wait_for  # noqa: E402

ZONE = "example.com"
TYPE = "application/external.dns.webhook+json;version=1"
FOREIGN = {("www.example.com", "A"): ["198.51.100.1"],
           ("a-theirs.example.com", "TXT"): ['"heritage=external-dns,external-dns/owner=them"'],
           ("theirs.example.com", "A"): ["198.51.100.2"]}


class Webhook:
    """Sets by name and type. After `left` writes it calls on_cut() and does nothing more of that request."""

    def __init__(self):
        self.sets, self.left, self.on_cut, self.moments = dict(FOREIGN), None, None, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def say(self, status, body):
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", TYPE)
                self.send_header("Content-Length", str(len(text) if status != 204 else 0))
                self.end_headers()
                if status != 204:
                    self.wfile.write(text)

            def do_GET(self):
                self.say(200, {} if self.path == "/" else [
                    {"dnsName": name, "recordType": kind, "targets": targets, "recordTTL": 60}
                    for (name, kind), targets in sorted(outer.sets.items())])

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/adjustendpoints":
                    self.say(200, body)
                elif outer.write(body):
                    self.say(204, None)
                else:
                    self.close_connection = True
                    self.connection.close()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def write(self, changes):
        """One set after the other; False when it was cut off."""
        steps = [(one, one["targets"]) for name in ("create", "updateNew") for one in changes.get(name) or []]
        steps += [(one, None) for one in changes.get("delete") or []]
        for one, targets in steps:
            if self.left == 0:
                self.left = None
                self.on_cut()
                return False
            self.left = None if self.left is None else self.left - 1
            key = one["dnsName"].rstrip("."), one["recordType"]
            if targets is None:
                self.sets.pop(key, None)
            else:
                self.sets[key] = targets
            self.moments.append(dict(self.sets))
        return True


def orphans(sets):
    """Records that are not foreign, and have no TXT record of ours."""
    return [name for name, kind in sets if kind in ("A", "CNAME") and (name, kind) not in FOREIGN
            and "owner=cuts" not in str(sets.get((f"{kind.lower()}-{name}", "TXT")))]


class World:
    def __init__(self):
        self.root, self.webhook = pathlib.Path(servers.scratch()), Webhook()
        (self.root / "c1").mkdir()
        (self.root / "pintle.yaml").write_text(json.dumps({
            "clusters": [{"name": "c1", "directory": str(self.root / "c1")}], "listen": [{"address": "127.0.0.1:0"}],
            "admin": {"address": "127.0.0.1:0"}, "shutdown": {"lameduck": 0},
            "records": [{"name": "hook", "provider": "webhook", "zones": [ZONE], "policy": "sync", "owner": "cuts", "interval": 1,
                         "webhook": {"url": f"http://127.0.0.1:{self.webhook.port}"}}]}))
        self.start()

    def start(self):
        self.child = servers.spawn(PINTLED, "--config", str(self.root / "pintle.yaml"), log=self.root / "pintled.log")

    def kill(self):
        os.kill(self.child.pid, signal.SIGKILL)

    def put(self, *objects):
        path = self.root / "c1" / "all.json"
        path.with_suffix(".new").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        path.with_suffix(".new").rename(path)

    def is_as(self, want):
        """Whether there is that, each with its TXT record, and nothing else but what others have."""
        ours = {key: value for key, value in self.webhook.sets.items() if FOREIGN.get(key) != value}
        records = {name: sorted(value) for (name, kind), value in ours.items() if kind != "TXT"}
        return records == want and len(ours) == 2 * len(want) and not orphans(self.webhook.sets)


def turn(world, what, n_writes, objects, want):
    """A change of objects whose writing is cut off after so many sets."""
    cut = threading.Event()
    webhook = world.webhook
    del webhook.moments[:]

    def kill():
        world.kill()
        cut.set()
    webhook.on_cut = kill if what == "killed" else cut.set
    webhook.left = n_writes
    world.put(*objects)
    if not cut.wait(20 * SLOW):
        webhook.left = None
        return check(f"{what} after {n_writes} writes", world.is_as(want) and n_writes > 1, (webhook.sets, want))
    half = dict(webhook.sets)
    if what == "killed":
        world.child.wait()
        world.start()
    until = time.monotonic() + 30 * SLOW
    while not world.is_as(want) and time.monotonic() < until:
        time.sleep(0.02)
    lonely = [orphans(sets) for sets in webhook.moments if orphans(sets)]
    touched = [sets for sets in webhook.moments if any(sets.get(key) != value for key, value in FOREIGN.items())]
    return check(f"{what} after {n_writes} writes: nothing was ever without owner, and all is as wanted",
                 world.is_as(want) and not lonely and not touched, (half, lonely, webhook.sets, want))


def main():
    world = World()
    wait_for("the daemon", lambda: "pintled 0" in (world.root / "pintled.log").read_text(), world.root / "pintled.log")
    two = [service("one", f"one.{ZONE}", "192.0.2.1", ttl="60"), service("two", f"two.{ZONE}", "192.0.2.2", ttl="60"),
           service("taken", f"www.{ZONE}", "192.0.2.3", ttl="60"), service("theirs", f"theirs.{ZONE}", "192.0.2.4", ttl="60")]
    other = [service("one", f"one.{ZONE}", "lb.example.net", ttl="60"), service("three", f"three.{ZONE}", "192.0.2.9", ttl="60")]
    other[0]["status"]["loadBalancer"]["ingress"] = [{"hostname": "lb.example.net"}]
    of_two = {f"one.{ZONE}": ["192.0.2.1"], f"two.{ZONE}": ["192.0.2.2"]}
    of_other = {f"one.{ZONE}": ["lb.example.net"], f"three.{ZONE}": ["192.0.2.9"]}
    for what, moments in (("killed", range(4)), ("cut off", (1, 3))):
        for n_writes in moments:
            turn(world, what, n_writes, two, of_two)
            turn(world, what, n_writes, other, of_other)
            turn(world, what, n_writes, [], {})
    world.child.send_signal(signal.SIGTERM)
    check("the daemon ends well", world.child.wait(timeout=60 * SLOW) == 0, world.child.returncode)
    check("what others have is as it was", world.webhook.sets == FOREIGN, world.webhook.sets)
    servers.finish()


if __name__ == "__main__":
    main()
