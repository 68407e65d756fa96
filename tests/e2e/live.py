#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Settings of a running pintled, changed key by key while questions are asked: old and new are seen, and no question is lost.

Same form of report as run.py, whose tools it uses.
"""

import base64
import re
import socket
import struct
import sys
import threading

import dns.message
import dns.tsig
import dns.tsigkeyring
import wire
from reloads import RD, WEB, config, loaded, metric, own, reload_wait, start
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

    def answered(wait_s=1, n=12):
        """Whether all of them are, each within that time."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(wait_s)
            for i in range(n):
                udp.sendto(wire.query(WEB, ident=i), ("127.0.0.1", daemon.port))
            try:
                return [udp.recv(65535) for _ in range(n)] != []
            except TimeoutError:
                return False
    steps.add("without limits all are answered", "", lambda: answered(60), True)
    steps.add("with a limit some are not", limits, answered, False)
    steps.add("the account goes on after another reload", limits + "dns: {version: v}\n", answered, False)
    steps.add("whoever is exempt has no limit", limits.replace("[]", "[127.0.0.0/8]"), lambda: answered(60), True)
    for i in range(len(steps.steps)):
        steps.take(i)
    checks.equal("the end is clean", daemon.stop(), 0)


class Resolver(threading.Thread):
    """Answers every question over UDP with its address, those whose name begins with "slow" a second later."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.rdata = socket.inet_aton(address)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.n_asked = 0
        self.start()

    def run(self):
        while True:
            message, peer = self.socket.recvfrom(65535)
            self.n_asked += 1
            end = message.index(b"\0", 12) + 5
            rr = b"\xc0\x0c" + struct.pack("!HHIH", wire.A, wire.IN, 60, 4) + self.rdata
            reply = message[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + message[12:end] + rr
            is_slow = message[13:17].lower() == b"slow"
            threading.Timer(1 if is_slow else 0, self.socket.sendto, (reply, peer)).start()


def forwards(checks, dir):
    one, two = Resolver("192.0.2.1"), Resolver("192.0.2.2")
    to = "forward: [{{zone: ., to: ['127.0.0.1:{}']}}]\n".format
    daemon = served(checks, dir, to(one.port))
    steps = Steps(checks, dir, daemon)
    waiting = []

    def data(name):
        return daemon.dig(name).data

    def asked(name):
        """Asks, and does not wait."""
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.settimeout(30)
        udp.sendto(wire.query(name, flags=RD), ("127.0.0.1", daemon.port))
        waiting.append(udp)
        checks.becomes("a slow question is under way", lambda: metric(daemon, "pintle_forward_pending"), lambda n: n >= 1)

    def late():
        """What came to who has asked before: the answer's last bytes are the address."""
        with waiting.pop() as udp:
            return socket.inet_ntoa(udp.recv(65535)[-4:])

    def before(name):
        seen = data(name)
        asked(f"slow-{name}")
        return seen
    steps.add("the resolver of the start", to(one.port), lambda: before("a.test"), ["192.0.2.1"])
    steps.add("another one, and who waits gets the answer of the one before", to(two.port),
              lambda: (data("a.test"), late()), (["192.0.2.2"], "192.0.2.1"))
    n = []
    steps.add("another range may not ask; the cache stays", to(two.port) + "allowRecursion: [192.0.2.0/24]\n",
              lambda: n.append(two.n_asked) or daemon.dig("a.test").status, "REFUSED")
    steps.add("and may again, without a question to the resolver", to(two.port),
              lambda: (data("a.test"), two.n_asked == n[0]), (["192.0.2.2"], True))
    steps.add("nothing is forwarded", "", lambda: daemon.dig("a.test").status, "REFUSED")
    steps.add("another size of the cache", to(one.port) + "cache: {size: 8Mi}\n",
              lambda: (data("a.test"), metric(daemon, "pintle_cache_size_bytes")), (["192.0.2.1"], 8 << 20))
    steps.add("a zone of its own", "forward: [{zone: b.test, to: ['127.0.0.1:%d']}, {zone: ., to: ['127.0.0.1:%d']}]\n"
              % (two.port, one.port), lambda: data("a.b.test") + data("a.test"), ["192.0.2.2", "192.0.2.1"])
    n_one = []

    def cached():
        """Whether the name from before is answered without a question."""
        n_one.append(one.n_asked)
        return (data("a.test"), one.n_asked - n_one[-1])
    steps.add("what others said of the same zone is kept, whatever else is forwarded", to(one.port), cached, (["192.0.2.1"], 0))
    steps.add("and with another size of the cache", to(one.port) + "cache: {size: 16Mi}\n", cached, (["192.0.2.1"], 0))
    asked_before = queries(daemon)
    steps.add("what was counted stays", to(two.port), lambda: queries(daemon) > asked_before, True)
    steps.run()


def swaps(checks, dir):
    """Resolvers take turns while their names are asked for: what is on its way is answered."""
    servers = [Resolver("192.0.2.1"), Resolver("192.0.2.2")]
    def to(i):
        return f"forward: [{{zone: ., to: ['127.0.0.1:{servers[i % 2].port}']}}]\ncache: {{size: {4 + i % 2}Mi}}\n"
    daemon = served(checks, dir, to(0))
    steps = Steps(checks, dir, daemon)
    for i in range(1, 7):
        steps.add(f"resolver {i % 2 + 1} answers", to(i), lambda i=i: daemon.dig(f"x{i}.test").data, [f"192.0.2.{i % 2 + 1}"])
    steps.run(NAMES + [f"n{i}.load.test" for i in range(200)])


def gateways(checks, dir):
    servers = [Resolver("192.0.2.1"), Resolver("192.0.2.2")]
    more = "defaultCluster: c2\nnetworks: [{{name: far, gateways: [gw.test]}}]\nresolvers: ['127.0.0.1:{}']\n".format
    daemon = served(checks, dir, "")
    (dir / "clusters" / "c1" / "cluster.yaml").write_text("network: far\n")
    for server in servers:
        config(dir, ["c1", "c2"], more(server.port))
        checks.equal("a resolver of gateways' names is another one", reload_wait(daemon)[0], 0)
        checks.becomes("it is asked at once", lambda server=server: server.n_asked, lambda n: n > 0)
    checks.equal("the end is clean", daemon.stop(), 0)


def logs(checks, dir):
    daemon = served(checks, dir, "queryLog: {file: one.log}\n")
    steps = Steps(checks, dir, daemon)
    one, two = dir / "one.log", dir / "two.log"

    def noted(path, n):
        """Asks for a name of its own until it stands in that file."""
        name = f"mark{n}.apps.svc.clusterset.local"
        daemon.dig(name)
        checks.becomes(f"question {n} is noted", lambda: path.exists() and f" {name}. " in path.read_text(), lambda seen: seen)
        return not (two if path == one else one).exists() or f" {name}. " not in (two if path == one else one).read_text()

    def quiet(name):
        for _ in range(20):
            daemon.dig(f"{name}.apps.svc.clusterset.local")
        return (one.read_text() + two.read_text()).count(f" {name}.") < 5  # the first one of each thread is
    steps.add("the log of the start", "queryLog: {file: one.log}\nlog: {level: info}\n", lambda: noted(one, 1), True)
    steps.add("another file", "queryLog: {file: two.log}\n", lambda: noted(two, 2), True)

    def moved():
        two.rename(dir / "two.log.1")
        checks.becomes("a file that was moved away is made again", two.exists, lambda seen: seen)
        return noted(two, 3)
    steps.add("the same file after a reload", "queryLog: {file: two.log}\ndns: {version: v}\n", moved, True)
    steps.add("one in very many", "queryLog: {file: one.log, sample: 1000000}\n", lambda: quiet("few"), True)
    steps.add("no log", "", lambda: quiet("none"), True)
    steps.add("a log again", "queryLog: {file: one.log}\n", lambda: noted(one, 4), True)
    for i in range(len(steps.steps)):
        steps.take(i)
    lines = one.read_text() + two.read_text() + (dir / "two.log.1").read_text()
    checks.equal("each is noted once", [lines.count(f" mark{n}.apps") for n in range(1, 5)], [1] * 4)
    config(dir, ["c1", "c2"], "queryLog: {file: nowhere/one.log}\ndns: {version: w}\n")
    code, out, err = reload_wait(daemon)
    checks.check("a log that cannot be opened changes nothing", (code, out) == (1, "") and "nowhere/one.log" in err, (code, out, err))
    checks.equal("nothing of the rest either", chaos(daemon, "version.bind"), None)
    checks.equal("the log before goes on", noted(one, 5), True)
    checks.equal("the end is clean", daemon.stop(), 0)


CORP = "@ 60 IN SOA ns1 host 1 60 60 60 5\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.1\n"


def secret(dir, name, byte):
    """Writes a key's file; what dig and dnspython take."""
    text = base64.b64encode(byte * 32).decode()
    (dir / f"{name}.key").write_text(text + "\n")
    (dir / f"{name}.key").chmod(0o600)
    return text


def transfers(checks, dir):
    (dir / "corp.zone").write_text("$ORIGIN corp.example.\n" + CORP)
    zone = "zones: {files: [{zone: corp.example, file: corp.zone}]}\n"
    one, two = secret(dir, "one", b"1"), secret(dir, "two", b"2")
    daemon = served(checks, dir, zone)
    steps = Steps(checks, dir, daemon)

    def whole(name=None, key=None):
        """Whether the zone is transferred."""
        options = ("-y", f"hmac-sha256:{name}:{key}") if name else ()
        return "192.0.2.1" in daemon.dig("corp.example", "AXFR", "+tcp", *options).text

    def rule(name, allow):
        return zone + f"tsigKeys: [{{name: {name}, secretFile: {name}.key}}]\ntransfers: [{{zone: corp.example, allow: [{allow}]}}]\n"
    steps.add("without transfers nobody gets the zone", zone, whole, False)
    steps.add("with a key one does", rule("one", "'key:one'"), lambda: (whole("one", one), whole()), (True, False))
    steps.add("with another key the first is none", rule("two", "'key:two'"), lambda: (whole("two", two), whole("one", one)), (True, False))
    third = base64.b64encode(b"3" * 32).decode()

    def before():
        secret(dir, "two", b"3")
        return whole("two", two)
    steps.add("a secret in its file is read by the next reload", rule("two", "'key:two'") + "dns: {version: a}\n", before, True)
    steps.add("and counts then", rule("two", "'key:two'"), lambda: (whole("two", third), whole("two", two)), (True, False))
    steps.add("a range may without a key", rule("two", "127.0.0.0/8"), whole, True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as secondary:
        secondary.bind(("127.0.0.1", 0))
        secondary.settimeout(60)

        def told():
            return secondary.recv(512)[2] >> 3 & 15
        notify = f"transfers: [{{zone: corp.example, allow: [127.0.0.1], notify: ['127.0.0.1:{secondary.getsockname()[1]}']}}]\n"
        steps.add("another secondary is sent a NOTIFY", zone + notify, told, 4)
        steps.run()


def long_transfer(checks, dir):
    """A reload takes the key away that a transfer under way is signed with."""
    with (dir / "corp.zone").open("w") as file:
        file.write("$ORIGIN corp.example.\n" + CORP)
        file.writelines(f"t{i} 60 IN TXT {'x' * 200}\n" for i in range(30000))
    zone = ("zones: {files: [{zone: corp.example, file: corp.zone}]}\n"
            "streams: {writeTimeout: 5m}\n")  # however long the reload takes, in which nothing is read
    keyring = dns.tsigkeyring.from_text({"one": (dns.tsig.HMAC_SHA256, secret(dir, "one", b"1"))})
    daemon = served(checks, dir, zone + "tsigKeys: [{name: one, secretFile: one.key}]\n"
                    "transfers: [{zone: corp.example, allow: ['key:one']}]\n")
    query = dns.message.make_query("corp.example", "AXFR")
    query.use_tsig(keyring)
    asked = query.to_wire()
    with socket.socket() as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
        stream.settimeout(60)
        stream.connect(("127.0.0.1", daemon.port))
        stream.sendall(struct.pack("!H", len(asked)) + asked)
        stream.recv(1, socket.MSG_PEEK)
        config(dir, ["c1", "c2"], zone)
        checks.equal("key and rule go while the zone is on its way", reload_wait(daemon)[0], 0)
        whole, n, context = stream.makefile("rb"), 0, None
        while n < 30003:
            wire_of = whole.read(struct.unpack("!H", whole.read(2))[0])
            message = dns.message.from_wire(wire_of, keyring=keyring, request_mac=query.mac, xfr=True, multi=True, tsig_ctx=context,
                                            one_rr_per_rrset=True)
            context = message.tsig_ctx
            n += len(message.answer)
    checks.equal("it comes to its end, signed all the way", (n, message.had_tsig), (30004, True))
    checks.equal("nobody gets it any more", daemon.dig("corp.example", "AXFR", "+tcp").answer, [])
    checks.equal("the end is clean", daemon.stop(), 0)


def families(checks, dir):
    (dir / "out").mkdir()
    records = "records: [{name: out, provider: zonefile, zones: [example.org], policy: sync, owner: live, zonefile: {directory: out}}]\n"
    daemon = served(checks, dir, records)
    steps = Steps(checks, dir, daemon)

    def are_shown():
        return "external_dns_" in daemon.get("/metrics")[1]
    steps.add("external-dns's metrics are not shown", records, are_shown, False)
    steps.add("they are when compat.metrics says so", records + "compat: {metrics: [external-dns]}\nhealth: {maxPerSecond: 7}\n", are_shown, True)
    for i in range(len(steps.steps)):
        steps.take(i)
    checks.equal("the end is clean", daemon.stop(), 0)


def queries(daemon):
    return sum(float(n) for n in re.findall(r"^pintle_dns_queries_total\{.*\} (\S+)$", daemon.get("/metrics")[1], re.M))


if __name__ == "__main__":
    sys.exit(play("live", manners, rates, forwards, swaps, gateways, logs, transfers, long_transfer, families))
