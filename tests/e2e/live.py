#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Settings of a running pintled, changed key by key while questions are asked: old and new are seen, and no question is lost.

Same form of report as run.py, whose tools it uses.
"""

import socket
import sys

import wire
from reloads import WEB, config, loaded, own, reload_wait, start
from run import play

NAMES = [WEB, own("c2")]


class Steps:
    """Configurations one after the other, each with what is to be seen once it is in force."""

    def __init__(self, checks, dir, daemon):
        self.checks, self.dir, self.daemon, self.steps = checks, dir, daemon, []

    def add(self, what, more, look, wanted):
        self.steps.append((what, more, look, wanted))

    def take(self, i):
        what, more, look, wanted = self.steps[i]
        config(self.dir, ["c1", "c2"], more)
        code, out, err = reload_wait(self.daemon)
        if code != 0:
            self.checks.check(what, False, (code, out, err))
        else:
            self.checks.equal(what, look(), wanted)

    def run(self, names=None):
        """All of them under load."""
        loaded(self.checks, self.daemon, names or NAMES, self.take, len(self.steps))
        self.checks.equal("the end is clean", self.daemon.stop(), 0)


def served(checks, dir, more):
    daemon = start(dir, more=more)
    checks.becomes("served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")
    return daemon


def ask(daemon, query, timeout_s=10):
    """The answer over UDP; None: silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout_s)
        udp.sendto(query, ("127.0.0.1", daemon.port))
        try:
            return wire.Reply(udp.recv(65535))
        except TimeoutError:
            return None


def chaos(daemon, name):
    """The text of a name in class CH; None: it is not told."""
    query = wire.query(name, wire.TXT, wire.CH)
    reply = ask(daemon, query)
    return reply.data[len(query) + 13:].decode() if reply.counts[1] else None


def cookie(daemon, sent=b"client..", tries=5):
    for _ in range(tries):
        reply = ask(daemon, wire.query(WEB, edns=wire.opt(wire.option(wire.COOKIE, sent))))
        if reply is not None:
            return dict(reply.options).get(wire.COOKIE)
    return None


def manners(checks, dir):
    daemon = served(checks, dir, "dns: {identity: one, version: v1}\n")
    steps = Steps(checks, dir, daemon)

    def texts():
        return [chaos(daemon, name) for name in ("id.server", "version.bind")]
    checks.equal("identity and version of the start", texts(), ["one", "v1"])
    first = cookie(daemon)
    steps.add("another identity and version", "dns: {identity: two, version: v2}\n", texts, ["two", "v2"])
    steps.add("a cookie from before is good", "dns: {identity: two}\n", lambda: cookie(daemon, first), first)
    steps.add("no version", "dns: {identity: two}\nrateLimit: {responsesPerSecond: 5}\n", texts, ["two", None])
    (dir / "secret").write_text("00112233445566778899aabbccddeeff\n")
    (dir / "secret").chmod(0o600)
    steps.add("a fleet's secret: a cookie from before is not", "cookies: {secretFile: secret}\n",
              lambda: cookie(daemon, first) != first, True)
    kept = []
    steps.add("it gives its own", "cookies: {secretFile: secret}\ndns: {identity: x}\n",
              lambda: kept.append(cookie(daemon)) or len(kept[0]), 24)
    steps.add("which stays good", "cookies: {secretFile: secret}\n", lambda: cookie(daemon, kept[0]) == kept[0], True)

    def another():
        (dir / "secret").write_text("ffeeddccbbaa99887766554433221100\n")
        checks.becomes("another secret in it is taken up", daemon.log_text,
                       lambda text: "new secret from" in text)
        return chaos(daemon, "version.bind")
    steps.add("the file is followed", "cookies: {secretFile: secret}\ndns: {version: v3}\n", another, "v3")
    steps.add("no cookies", "cookies: {enabled: false}\n", lambda: cookie(daemon), None)
    steps.run()


def rates(checks, dir):
    daemon = served(checks, dir, "")
    steps = Steps(checks, dir, daemon)
    limits = "rateLimit: {responsesPerSecond: 2, window: 1s, slip: 0, exempt: []}\n"

    def answered(n=12):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(1)
            for i in range(n):
                udp.sendto(wire.query(WEB, ident=i), ("127.0.0.1", daemon.port))
            try:
                return [udp.recv(65535) for _ in range(n)] != []
            except TimeoutError:
                return False
    steps.add("without limits all are answered", "", answered, True)
    steps.add("with a limit some are not", limits, answered, False)
    steps.add("the account goes on after another reload", limits + "dns: {version: v}\n", answered, False)
    steps.add("whoever is exempt has no limit", limits.replace("[]", "[127.0.0.0/8]"), answered, True)
    for i in range(len(steps.steps)):
        steps.take(i)
    checks.equal("the end is clean", daemon.stop(), 0)


if __name__ == "__main__":
    sys.exit(play("live", manners, rates))
