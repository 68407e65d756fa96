#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The RFC 2136 provider against a real Knot DNS and a real BIND, also through a wire whose faults can be ordered.

usage: dns.py [STEPS]    steps of the random history; 60 when not said

Needs knotd, named, kdig. Prints one line per check and, last, "N passed, N failed".
"""

import base64
import hashlib
import hmac
import json
import pathlib
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import servers  # noqa: E402
from servers import Driver, check, record_set, verdicts  # noqa: E402

SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
ZONE, BIG, KEY, READER = "example.com", "big.example", "update.key", "reader.key"
SECRET = b"0123456789abcdef0123456789abcdef"
BIG_NAMES = 6000  # some 1.5 MB: many messages
TSIG, ANY, UPDATE = 250, 255, 5
FOREIGN = f"""\
$TTL 300
@ SOA ns1 hostmaster 2026010101 3600 600 86400 60
@ NS ns1
@ MX 10 mail
ns1 A 192.0.2.53
mail A 198.51.100.25
www 600 A 198.51.100.80
www 600 AAAA 2001:db8::80
text TXT "with \\"quotes\\" and ; more" "second"
*.wild A 198.51.100.81
_sip._tcp SRV 0 5 5060 Sip.Example.NET.
caa CAA 0 issue "ca.example.net"
naptr NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
sub NS ns1.sub
ns1.sub A 192.0.2.54
odd\\.label\\032x A 198.51.100.82
unknown TYPE65280 \\# 4 0a000001
old DNAME new.example.net.
"""


# --- servers ----------------------------------------------------------------------------------------


class Server:
    """Either of both; `key` is asked for whatever is done."""

    def __init__(self, root, name, algorithm="hmac-sha256", n_big=BIG_NAMES):
        self.name, self.home, self.algorithm = name, pathlib.Path(root) / name, algorithm
        self.home.mkdir()
        self.port, self.log = servers.free_port(), self.home / "log"
        secret = base64.b64encode(SECRET).decode()
        self.secret_file = servers.write(f"{self.home}/secret", secret)
        filler = "f" * 200
        (self.home / f"{ZONE}.zone").write_text(FOREIGN)
        (self.home / f"{BIG}.zone").write_text(
            "$TTL 60\n@ SOA ns1 h 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\n"
            + "".join(f'x{i} TXT "{filler} {i}"\n' for i in range(n_big)))
        command = self.knot(secret) if name == "knot" else self.bind(secret)
        self.child = servers.spawn(*command, log=self.log, cwd=self.home)
        servers.wait_for(name, lambda: len(self.transfer(BIG)) > n_big and len(self.transfer(ZONE)) > 10, self.log)

    def knot(self, secret):
        (self.home / "knot.conf").write_text(f"""\
server:
    rundir: "{self.home}"
    listen: 127.0.0.1@{self.port}
    tcp-io-timeout: 0
    tcp-idle-timeout: 120
database:
    storage: "{self.home}"
    journal-db-mode: asynchronous
log:
  - target: stderr
    any: info
key:
  - id: {KEY}
    algorithm: {self.algorithm}
    secret: {secret}
  - id: {READER}
    algorithm: {self.algorithm}
    secret: {secret}
acl:
  - id: ours
    key: {KEY}
    action: [transfer, update]
  - id: reader
    key: {READER}
    action: transfer
template:
  - id: default
    storage: "{self.home}"
    file: "%s.zone"
    acl: [ours, reader]
    semantic-checks: off
    zonefile-sync: -1
    zonefile-load: whole
    serial-policy: increment
    journal-content: changes
zone:
  - domain: {ZONE}
  - domain: {BIG}
""")
        return shutil.which("knotd", path=SBIN), "-c", f"{self.home}/knot.conf"

    def bind(self, secret):
        zones = "".join(f"""zone "{zone}" {{ type primary; file "{zone}.zone"; allow-transfer {{ key "{KEY}"; key "{READER}"; }};
    allow-update {{ key "{KEY}"; }}; ixfr-from-differences yes; }};\n""" for zone in (ZONE, BIG))
        (self.home / "named.conf").write_text(f"""\
key "{KEY}" {{ algorithm {self.algorithm}; secret "{secret}"; }};
key "{READER}" {{ algorithm {self.algorithm}; secret "{secret}"; }};
options {{ directory "{self.home}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
    pid-file none; session-keyfile none; managed-keys-directory "{self.home}"; notify no; dnssec-validation no;
    check-names primary ignore; check-integrity no; }};
controls {{ }};
{zones}""")
        return shutil.which("named", path=SBIN), "-g", "-n", "1", "-c", f"{self.home}/named.conf"

    def transfer(self, zone):
        """Its records but the SOA, as kdig sees them: sorted lines."""
        secret = base64.b64encode(SECRET).decode()
        done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(self.port), "+retry=0", "+timeout=10", "+noidn", "-y",
                               f"{self.algorithm}:{KEY}:{secret}", zone, "AXFR"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        rows = [re.sub(r"\s+", " ", line) for line in done.stdout.splitlines() if line and not line.startswith(";")]
        return sorted(row for row in rows if " TSIG " not in row and " SOA " not in row)

    def driver(self, port=None, **key):
        key = dict(dict(name=KEY, algorithm=self.algorithm, secretFile=self.secret_file), **key)
        return Driver(f"{self.home}/driver.log", kind="rfc2136", server=f"127.0.0.1:{port or self.port}",
                      tsig=None if key["name"] is None else key)


# --- signatures by hand -----------------------------------------------------------------------------


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def tsig_at(message):
    """Where its TSIG begins, by its owner; -1: none."""
    return message.rfind(wire_name(KEY) + struct.pack(">2H", TSIG, ANY))


def mac_of(message):
    at = tsig_at(message) + len(wire_name(KEY)) + 10 + len(wire_name("hmac-sha256")) + 8
    return message[at + 2:at + 2 + struct.unpack(">H", message[at:at + 2])[0]]


def strip(message):
    """Without its TSIG."""
    at = tsig_at(message)
    if at < 0:
        return message
    return message[:10] + struct.pack(">H", struct.unpack(">H", message[10:12])[0] - 1) + message[12:at]


def sealed(bare, key, mac, when):
    """The message with a TSIG of that MAC."""
    rdata = wire_name("hmac-sha256") + when + struct.pack(">H", len(mac)) + mac + bare[:2] + struct.pack(">2H", 0, 0)
    count = struct.unpack(">H", bare[10:12])[0] + 1
    return (bare[:10] + struct.pack(">H", count) + bare[12:] + wire_name(key)
            + struct.pack(">2HIH", TSIG, ANY, 0, len(rdata)) + rdata)


def resign(message, request, late_s=0, secret=SECRET, mac_bytes=32, key=KEY):
    """The first answer to a request, signed anew."""
    bare, before = strip(message), mac_of(request)
    when = struct.pack(">HIH", 0, int(time.time()) - late_s, 300)
    variables = wire_name(key) + struct.pack(">HI", ANY, 0) + wire_name("hmac-sha256") + when + struct.pack(">2H", 0, 0)
    whole = struct.pack(">H", len(before)) + before + bare + variables
    return sealed(bare, key, hmac.new(secret, whole, hashlib.sha256).digest()[:mac_bytes], when)


def answered(request):
    """An answer that says that all is well, signed; nobody has done anything."""
    bare = strip(request)
    return resign(bare[:2] + bytes([bare[2] | 0x80, 0]) + bytes(8), request)


class Sparing:
    """Signs the first message of a transfer, each `every`-th and the last (RFC 8945, section 5.3.1)."""

    def __init__(self, every, n_messages):
        self.every, self.last, self.pending, self.mac = every, n_messages - 1, b"", b""

    def __call__(self, request, i, message):
        bare = strip(message)
        if i == 0:
            message = resign(message, request)
            self.mac = mac_of(message)
            return [message]
        if i % self.every and i != self.last:
            self.pending += bare
            return [bare]
        when = struct.pack(">HIH", 0, int(time.time()), 300)
        whole = struct.pack(">H", len(self.mac)) + self.mac + self.pending + bare + when
        self.pending, self.mac = b"", hmac.new(SECRET, whole, hashlib.sha256).digest()
        return [sealed(bare, KEY, self.mac, when)]


# --- the wire in between ----------------------------------------------------------------------------


class Wire:
    """Passes messages on, or does what `fault` says: fault(request, i, message) gives the messages that come in the
    place of the i-th one of an answer, or None: the connection is cut. What `swallow(request)` gives is an answer, and
    the server is not asked; None: it is."""

    def __init__(self, port):
        self.to, self.fault, self.swallow, self.n_answers = port, None, None, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    @staticmethod
    def read(stream):
        head = stream.read(2)
        return stream.read(struct.unpack(">H", head)[0]) if len(head) == 2 else None

    def serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            asked, answered = client.makefile("rb"), server.makefile("rb")
            request, state = [None], {"i": 0}

            def forth():
                try:
                    while (message := self.read(asked)) is not None:
                        request[0], state["i"] = message, 0
                        told = None if self.swallow is None else self.swallow(message)
                        if told is not None:
                            client.sendall(struct.pack(">H", len(told)) + told)
                            continue
                        server.sendall(struct.pack(">H", len(message)) + message)
                    server.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

            threading.Thread(target=forth, daemon=True).start()
            while True:
                try:
                    message = self.read(answered)
                    if message is None:
                        break
                    self.n_answers += 1
                    told = [message] if self.fault is None else self.fault(request[0], state["i"], message)
                    state["i"] += 1
                    if told is None:
                        client.shutdown(socket.SHUT_RDWR)
                        break
                    for one in told:
                        client.sendall(struct.pack(">H", len(one)) + one)
                except OSError:
                    break


# --- checks -----------------------------------------------------------------------------------------


def own(name, *values, kind="A", ttl=60):
    """A set and the TXT beside it, as a change that makes them."""
    txt = record_set(f"a-{name.replace('*', 'any')}", "TXT", '"heritage=external-dns,external-dns/owner=demo"', ttl=60)
    return [(None, record_set(name, kind, *values, ttl=ttl)), (None, txt)]


def reading(server, driver):
    listing = driver.list(ZONE)
    sets = {(one["name"], one["type"]): one for one in listing["sets"]}
    check(f"{server.name}: a zone is listed", listing["fault"] == "none" and len(sets) == 16, listing)
    check(f"{server.name}: names and values are canonical",
          sets[f"_sip._tcp.{ZONE}", "SRV"]["values"] == ["0 5 5060 sip.example.net"]
          and sets[f"text.{ZONE}", "TXT"]["values"] == ['"with \\"quotes\\" and ; more" "second"']
          and sets[f"caa.{ZONE}", "CAA"]["values"] == ['0 issue "ca.example.net"']
          and sets[f"odd\\.label\\032x.{ZONE}", "A"]["values"] == ["198.51.100.82"]
          and sets[f"unknown.{ZONE}", "TYPE65280"]["values"] == ["\\# 4 0a000001"]
          and sets[f"www.{ZONE}", "AAAA"] == record_set(f"www.{ZONE}", "AAAA", "2001:db8::80", ttl=600), sets)
    big = driver.list(BIG)
    check(f"{server.name}: a zone of many messages is listed", big["fault"] == "none"
          and len(big["sets"]) == BIG_NAMES + 2, (big["fault"], big["message"], len(big["sets"])))
    again = driver.list(BIG, version=big["version"])
    check(f"{server.name}: an unchanged zone is not read again", again["unchanged"] and again["version"] == big["version"],
          (again["fault"], again["message"], len(again["sets"])))
    check(f"{server.name}: a zone that is not there is no empty zone", driver.list("nobody.example")["fault"]
          in ("no-zone", "denied"), driver.list("nobody.example"))
    check(f"{server.name}: nobody without a key", server.driver(name=None).list(ZONE)["fault"]
          in ("denied", "no-zone"))


def writing(server, driver):
    before, name = server.transfer(ZONE), f"app.{ZONE}"
    sets = driver.sets(ZONE)
    many = [own(f"n{i}.{ZONE}", f"192.0.2.{i % 250 + 1}", f"198.51.100.{i % 250 + 1}") for i in range(300)]
    outcome = driver.apply(ZONE, own(name, "192.0.2.1", "192.0.2.2"), own(f"*.apps.{ZONE}", "192.0.2.3"),
                           [(None, record_set(f"alias.{ZONE}", "CNAME", "lb.example.net"))], *many)
    check(f"{server.name}: 303 sets are made", set(verdicts(outcome)) == {"applied"} and outcome["fault"] == "none",
          (outcome["fault"], outcome["message"], [one for one in outcome["results"] if one[0] != "applied"]))
    now = driver.sets(ZONE)
    check(f"{server.name}: and are there", len(now) == len(sets) + 2 * 302 + 1
          and now[name, "A", ""]["values"] == ["192.0.2.1", "192.0.2.2"] and now[f"alias.{ZONE}", "CNAME", ""]["ttl"] == 300,
          len(now))
    listing = driver.list(ZONE)
    outcome = driver.apply(ZONE, [(now[name, "A", ""], record_set(name, "A", "192.0.2.9", ttl=30))],
                           [(now[f"alias.{ZONE}", "CNAME", ""], None), (None, record_set(f"alias.{ZONE}", "A", "192.0.2.5"))],
                           [(now[f"n1.{ZONE}", "A", ""], None), (now[f"a-n1.{ZONE}", "TXT", ""], None)])
    check(f"{server.name}: one is replaced, a CNAME makes room, one goes", verdicts(outcome) == ["applied"] * 3, outcome)
    differs = driver.list(ZONE, version=listing["version"], known=listing["sets"])
    whole = driver.list(ZONE)
    check(f"{server.name}: differences give the same listing as all of it", differs["fault"] == "none"
          and differs["sets"] == whole["sets"] and differs["version"] == whole["version"], differs["message"])
    now = driver.sets(ZONE)
    gone = [[(one, None)] for key, one in now.items() if key not in sets]
    outcome = driver.apply(ZONE, *gone)
    check(f"{server.name}: all of ours go", set(verdicts(outcome)) == {"applied"}, outcome["message"])
    check(f"{server.name}: what is not ours is as it was", server.transfer(ZONE) == before,
          set(server.transfer(ZONE)) ^ set(before))


def refusals(server, driver):
    before = server.transfer(ZONE)
    many = [own(f"r{i}.{ZONE}", f"192.0.2.{i}") for i in range(1, 41)]
    many[5] = [(None, record_set(f"bad.{ZONE}", "A", "192.0.2.300"))]
    many[17] = [(None, record_set(f"www.{ZONE}", "CNAME", "elsewhere.example.net"))]
    many[29] = [(record_set(f"mail.{ZONE}", "A", "192.0.2.1"), record_set(f"mail.{ZONE}", "A", "192.0.2.2"))]
    many[33] = [(None, record_set("elsewhere.example", "A", "192.0.2.1"))]
    many[35] = [(None, record_set(f"naptr.{ZONE}", "NAPTR", '1 1 "u" "x" "y" .'))]
    outcome = driver.apply(ZONE, *many)
    seen = verdicts(outcome)
    check(f"{server.name}: of 40 changes the 35 good ones are done", seen.count("applied") == 35, outcome)
    check(f"{server.name}: what makes no sense is refused, and told why", seen[5] == "refused" and seen[33] == "refused"
          and "192.0.2.300" in outcome["results"][5][1] and "not in this zone" in outcome["results"][33][1], outcome)
    check(f"{server.name}: what meets somebody else's record is a conflict",
          [seen[17], seen[29]] == ["conflict"] * 2 and seen[35] in ("conflict", "refused"), [outcome["results"][i] for i in (17, 29, 35)])
    sets = driver.sets(ZONE)
    gone = [[(one, None)] for (name, _, _), one in sets.items() if re.match(r"(a-)?r\d+\.", name)]
    outcome = driver.apply(ZONE, *gone)
    check(f"{server.name}: what is not ours is as it was after refusals", server.transfer(ZONE) == before,
          set(server.transfer(ZONE)) ^ set(before))


def forbidden(server):
    """A server that refuses whatever it is asked is not asked for ever."""
    wire = Wire(server.port)
    driver = server.driver(wire.port, name=READER)
    check(f"{server.name}: a key that may only read does so", driver.list(ZONE)["fault"] == "none")
    before, wire.n_answers = server.transfer(ZONE), 0
    outcome = driver.apply(ZONE, *[own(f"no{i}.{ZONE}", "192.0.2.1") for i in range(200)])
    check(f"{server.name}: nothing is written with it, after few tries", outcome["fault"] == "denied"
          and set(verdicts(outcome)) <= {"refused", "retry", "unknown"} and wire.n_answers <= 16,
          (outcome["fault"], outcome["message"], set(verdicts(outcome)), wire.n_answers))
    check(f"{server.name}: and nothing has changed by that", server.transfer(ZONE) == before)


def crashes(server, times=12):
    """Killed at any moment, a record is there with its TXT, or neither."""
    rng, driver = random.Random(11), server.driver()
    before, foreign = server.transfer(ZONE), set(driver.sets(ZONE))
    for turn in range(times):
        victim = server.driver()
        changes = [[{"was": was, "will": will} for was, will in own(f"k{turn}-{i}.{ZONE}", "192.0.2.1")] for i in range(400)]
        victim.child.stdin.write(json.dumps({"do": "apply", "zone": ZONE, "changes": changes}) + "\n")
        victim.child.stdin.flush()
        if turn == 0:
            victim.child.stdout.readline()  # one of them comes to its end
        time.sleep(rng.random() * 0.08)
        victim.child.kill()
        victim.child.wait()
    seen = {"made": 0, "alone": []}

    def cleaned():
        """Takes away what is there: the server may still be busy with what was sent."""
        now = driver.sets(ZONE)
        names = {name for name, _, _ in set(now) - foreign}
        pairs = {name.removeprefix("a-") for name in names}
        seen["made"] += len(pairs)
        seen["alone"] += [name for name in pairs if name not in names or f"a-{name}" not in names]
        driver.apply(ZONE, *[[(now[key], None)] for key in set(now) - foreign])
        return seen["made"] > 0 and server.transfer(ZONE) == before

    servers.wait_for(f"{server.name}'s zone as it was", cleaned, server.log)
    check(f"{server.name}: killed {times} times, {seen['made']} records had their TXT, and no TXT was alone",
          not seen["alone"], seen["alone"][:20])


def faults(server):
    """Whatever is wrong with an answer: a fault, and nothing is believed."""
    wire = Wire(server.port)
    driver = server.driver(wire.port)
    before = server.transfer(ZONE)
    n_messages = 0

    def listed(what, fault, want, zone=BIG):
        wire.fault = fault
        listing = driver.list(zone)
        wire.fault = None
        check(f"case 124: {server.name}: {what}", listing["fault"] == want and listing["sets"] == [],
              (listing["fault"], listing["message"], len(listing["sets"])))

    wire.n_answers = 0
    check(f"{server.name}: through the wire", driver.list(BIG)["fault"] == "none")
    n_messages = wire.n_answers
    check(f"{server.name}: it takes many messages", n_messages > 10, n_messages)
    sparing = Sparing(4, n_messages)
    listed("a transfer that is cut", lambda _, i, m: [m] if i < n_messages // 2 else None, "unreachable")
    listed("a transfer that is cut before its last message", lambda _, i, m: [m] if i < n_messages - 1 else None,
           "unreachable")
    listed("a message that is left out", lambda _, i, m: [] if i == 2 else [m], "denied")
    listed("a message that comes twice", lambda _, i, m: [m, m] if i == 2 else [m], "denied")
    listed("no signature at all", lambda _, i, m: [strip(m)], "denied")
    listed("no signature from the third message on", lambda _, i, m: [m] if i < 2 else [strip(m)], "denied")
    listed("another secret", lambda r, i, m: [resign(m, r, secret=b"f" * 32)], "denied", ZONE)
    listed("another key, which the server has, too", lambda r, i, m: [resign(m, r, key=READER)], "denied", ZONE)
    listed("no signature on the last message", lambda _, i, m: [m] if i < n_messages - 1 else [strip(m)], "denied")
    listed("a signature that leaves out a message", lambda r, i, m: [m] if i == 0 else
           [] if i == 1 else sparing(r, i, m), "denied")
    listed("a signature of 10 minutes ago", lambda r, i, m: [resign(m, r, late_s=600)], "denied", ZONE)
    listed("a signature of 10 minutes ahead", lambda r, i, m: [resign(m, r, late_s=-600)], "denied", ZONE)
    listed("a signature that is cut", lambda r, i, m: [resign(m, r, mac_bytes=16)], "denied", ZONE)
    listed("another id", lambda _, i, m: [bytes([m[0] ^ 1]) + m[1:]], "malformed", ZONE)
    listed("bytes that are no message", lambda _, i, m: [b"\0" * 40], "malformed", ZONE)
    wire.fault = lambda r, i, m: [resign(m, r)]
    check(f"{server.name}: and what is signed well is good", driver.list(ZONE)["fault"] == "none")
    for every in (1000, 4):
        wire.fault = Sparing(every, n_messages)
        listing = driver.list(BIG)
        check(f"{server.name}: also when only each {every}th message is signed, and the last",
              listing["fault"] == "none" and len(listing["sets"]) == BIG_NAMES + 2, (listing["fault"], listing["message"]))
    wire.fault = None
    wrong = server.driver(name="other.key").list(ZONE)
    check(f"{server.name}: a key that the server does not know", wrong["fault"] == "denied", wrong)
    secret = servers.write(f"{server.home}/wrong", base64.b64encode(b"f" * 32).decode())
    wrong = server.driver(secretFile=secret).list(ZONE)
    check(f"{server.name}: another secret than the server's", wrong["fault"] == "denied", wrong)
    wrong = server.driver(secretFile=secret).apply(ZONE, own(f"x.{ZONE}", "192.0.2.1"))
    check(f"{server.name}: nor is anything written with it", wrong["fault"] == "denied"
          and verdicts(wrong) != ["applied"], wrong)
    for ahead_s in (600, -600):
        wrong = server.driver()
        wrong.ask(do="clock", aheadS=ahead_s)
        listing, outcome = wrong.list(ZONE), wrong.apply(ZONE, own(f"x.{ZONE}", "192.0.2.1"))
        check(f"{server.name}: our clock {ahead_s} s ahead", listing["fault"] == "denied" and "clocks" in listing["message"]
              and outcome["fault"] == "denied" and verdicts(outcome) != ["applied"], (listing, outcome))
    updates(server, wire, driver)
    check(f"{server.name}: nothing has changed by all that", server.transfer(ZONE) == before)


def updates(server, wire, driver):
    """The answer to an update goes lost, or cannot be believed."""
    change = own(f"lost.{ZONE}", "192.0.2.77")
    wire.fault = lambda *_: None
    outcome = driver.apply(ZONE, change, own(f"later.{ZONE}", "192.0.2.78"))
    wire.fault = None
    check(f"{server.name}: an answer that is lost says nothing", verdicts(outcome) == ["unknown"] * 2
          and outcome["fault"] == "unreachable", outcome)
    sets = driver.sets(ZONE)
    check(f"{server.name}: the zone says what became of it", (f"lost.{ZONE}", "A", "") in sets)
    check(f"{server.name}: the same once more does nothing twice",
          verdicts(driver.apply(ZONE, change)) == ["conflict"] and driver.sets(ZONE) == sets)
    for what, fault in (("unsigned", lambda _, i, m: [strip(m)]), ("late", lambda r, i, m: [resign(m, r, late_s=600)]),
                        ("signed with another secret", lambda r, i, m: [resign(m, r, secret=b"f" * 32)]),
                        ("signed with another key", lambda r, i, m: [resign(m, r, key=READER)]),
                        ("signed with half of a MAC", lambda r, i, m: [resign(m, r, mac_bytes=16)]),
                        ("another id", lambda r, i, m: [bytes([m[0] ^ 1]) + m[1:]])):
        wire.fault = fault
        outcome = driver.apply(ZONE, own(f"doubt.{ZONE}", "192.0.2.79"))
        wire.fault = None
        check(f"{server.name}: an answer to an update that is {what} is not believed", verdicts(outcome) == ["unknown"]
              and outcome["fault"] in ("denied", "malformed"), outcome)
        now = driver.sets(ZONE)
        driver.apply(ZONE, *[[(one, None)] for (name, _, _), one in now.items() if "doubt" in name])
    wire.swallow = lambda request: answered(request) if request[2] >> 3 & 15 == UPDATE else None
    outcome = driver.apply(ZONE, own(f"sworn.{ZONE}", "192.0.2.80"))
    wire.swallow = None
    check(f"{server.name}: a server that says it is done is believed, until the zone is read",
          verdicts(outcome) == ["applied"] and (f"sworn.{ZONE}", "A", "") not in driver.sets(ZONE), outcome)
    check(f"{server.name}: then it is done", verdicts(driver.apply(ZONE, own(f"sworn.{ZONE}", "192.0.2.80"))) == ["applied"]
          and (f"sworn.{ZONE}", "A", "") in driver.sets(ZONE))
    sets = driver.sets(ZONE)
    gone = [[(one, None)] for (name, _, _), one in sets.items() if re.match(r"(a-)?(lost|later|sworn)\.", name)]
    check(f"{server.name}: so it can be cleaned up", set(verdicts(driver.apply(ZONE, *gone))) == {"applied"})


def history(server, driver, steps):
    """Random changes: what we want is what is there, and nothing else has moved."""
    rng, ours, before = random.Random(7), {}, server.transfer(ZONE)
    foreign, listing = driver.sets(ZONE), driver.list(ZONE)
    for step in range(steps):
        wanted = {key: one for key, one in ours.items() if rng.random() < 0.9}
        for _ in range(rng.randrange(6)):
            name = f"h{rng.randrange(30)}.{ZONE}"
            kind = rng.choice(("A", "AAAA", "TXT", "CNAME"))
            values = {"A": [f"192.0.2.{rng.randrange(9)}" for _ in range(rng.randrange(1, 4))],
                      "AAAA": [f"2001:db8::{rng.randrange(1, 9):x}"], "CNAME": [f"t{rng.randrange(9)}.example.net"],
                      "TXT": [f'"{rng.randrange(99)} \\"q\\" \\\\"']}[kind]
            for key in [key for key in wanted if key[0] == name and ("CNAME" in (kind, key[1]))]:
                del wanted[key]
            wanted[name, kind, ""] = record_set(name, kind, *sorted(set(values)), ttl=rng.choice((30, 60)))
        names = {key[0] for key in set(ours) | set(wanted)}
        changes = []
        for name in sorted(names):  # all of a name together, so that a CNAME makes room in one go
            edits = [(ours.get(key), wanted.get(key)) for key in sorted(set(ours) | set(wanted))
                     if key[0] == name and ours.get(key) != wanted.get(key)]
            if edits:
                changes.append(edits)
        outcome = driver.apply(ZONE, *changes)
        listing = driver.list(ZONE, version=listing["version"], known=listing["sets"]) if changes else listing
        now = {(one["name"], one["type"], one["set"]): one for one in listing["sets"]}
        if set(verdicts(outcome)) - {"applied"} or now != {**foreign, **wanted}:
            check(f"{server.name}: step {step} of a random history", False,
                  (changes, outcome, {key: (now.get(key), wanted.get(key)) for key in set(now) ^ set({**foreign, **wanted})}))
            return
        ours = wanted
    check(f"{server.name}: a random history of {steps} steps, read by differences", True)
    driver.apply(ZONE, *[[(one, None)] for one in ours.values()])
    check(f"{server.name}: and nothing is left of it", server.transfer(ZONE) == before,
          set(server.transfer(ZONE)) ^ set(before))


def down(root):
    """A server that is not there, and one that says nothing, hold up nobody."""
    port = servers.free_port()
    secret = servers.write(f"{root}/secret", base64.b64encode(SECRET).decode())
    driver = Driver(f"{root}/driver.log", kind="rfc2136", server=f"127.0.0.1:{port}", tsig={"name": KEY, "secretFile": secret})
    check("a server that is down is a fault", driver.list(ZONE)["fault"] == "unreachable")
    outcome = driver.apply(ZONE, own(f"x.{ZONE}", "192.0.2.1"))
    check("and its changes wait", verdicts(outcome) == ["retry"] and outcome["fault"] == "unreachable", outcome)
    gone = Driver(f"{root}/driver.log", kind="rfc2136", server=f"127.0.0.1:{port}",
                  tsig={"name": KEY, "secretFile": f"{root}/none"}).list(ZONE)
    check("a secret that is not there is told", gone["fault"] == "denied" and "none" in gone["message"], gone)


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    root = servers.scratch()
    down(root)
    for name, algorithm in (("knot", "hmac-sha256"), ("bind", "hmac-sha256")):
        server = Server(root, name, algorithm)
        driver = server.driver()
        reading(server, driver)
        writing(server, driver)
        refusals(server, driver)
        forbidden(server)
        faults(server)
        history(server, driver, steps)
        crashes(server)
        check(f"{name}: the driver ends well", driver.close() == 0)
    for algorithm in ("hmac-sha224", "hmac-sha512"):
        (pathlib.Path(root) / algorithm).mkdir()
        server = Server(f"{root}/{algorithm}", "knot", algorithm)
        check(f"knot: {algorithm}", server.driver().list(BIG)["fault"] == "none")
    servers.finish()


if __name__ == "__main__":
    main()
