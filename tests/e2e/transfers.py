#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Zone transfers: a real Knot DNS and a real BIND follow a static and a custom zone of pintled, with TSIG.

usage: transfers.py [CHANGES]    how many changes the secondaries have to follow; 60 when not said

Who may transfer and who may not, IXFR, one serial per transfer however much changes meanwhile, NOTIFY, serials
after kill -9. Needs knotd, named, kdig, dig. Prints one line per check and, last, "N passed, N failed".
"""

import base64
import hashlib
import hmac
import http.client
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
import tls  # noqa: E402
from ports import free_port  # noqa: E402

SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin"
STATIC, CUSTOM, BIG = "corp.example", "example.com", "big.example"
KEY, OTHER_KEY = "xfr.example", "other.example"
SECRETS = {KEY: b"0123456789abcdef0123456789abcdef", OTHER_KEY: b"fedcba9876543210fedcba9876543210"}
BIG_NAMES = 20000  # more than the kernel keeps for a client that does not read
SLOW = int(os.environ.get("PINTLE_SLOW", "1"))  # how many times slower the build is than a plain one
FOLLOW_S = 60  # for the last change to reach everybody; a secondary may wait for the next NOTIFY
NS_A, SOA, AXFR, IXFR, TSIG, ANY = 1, 6, 252, 251, 250, 255
BADSIG, BADKEY, BADTIME = 16, 17, 18
NOERROR, FORMERR, SERVFAIL, REFUSED, NOTAUTH = 0, 1, 2, 5, 9


# --- messages by hand: what dig cannot be made to send ------------------------------------------


def wire_name(name):
    labels = [label.encode() for label in name.strip(".").split(".")] if name.strip(".") else []
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def query(name, rrtype, ident=0x4242, serial=None):
    """A query; with `serial`, an IXFR's authority section."""
    message = struct.pack(">6H", ident, 0, 1, 0, 0 if serial is None else 1, 0)
    message += wire_name(name) + struct.pack(">2H", rrtype, 1)
    if serial is not None:
        rdata = b"\0\0" + struct.pack(">5I", serial, 0, 0, 0, 0)
        message += b"\xc0\x0c" + struct.pack(">2HIH", SOA, 1, 0, len(rdata)) + rdata
    return message


def sign(message, key, late_s=0, secret=None, before=b""):
    """RFC 8945, HMAC-SHA-256. Returns the message with its TSIG, and the MAC."""
    algorithm = wire_name("hmac-sha256")
    when = struct.pack(">HIH", 0, int(time.time()) - late_s, 300)
    variables = wire_name(key) + struct.pack(">HI", ANY, 0) + algorithm + when + struct.pack(">2H", 0, 0)
    mac = hmac.new(secret or SECRETS[key], before + message + variables, hashlib.sha256).digest()
    rdata = algorithm + when + struct.pack(">H", len(mac)) + mac + message[:2] + struct.pack(">2H", 0, 0)
    record = wire_name(key) + struct.pack(">2HIH", TSIG, ANY, 0, len(rdata)) + rdata
    count = struct.unpack(">H", message[10:12])[0] + 1
    return message[:10] + struct.pack(">H", count) + message[12:] + record, mac


def rcode(message):
    return message[3] & 15


def tsig_error(message):
    """Of a message whose last record is a TSIG without other data, or BADTIME's; else None."""
    found = message.rfind(wire_name("hmac-sha256"))
    if found < 0:
        return None
    at = found + 13 + 8
    mac_bytes = struct.unpack(">H", message[at:at + 2])[0]
    return struct.unpack(">H", message[at + 4 + mac_bytes:at + 6 + mac_bytes])[0]


class Stream:
    """A TCP connection that asks and reads messages."""

    def __init__(self, port, window=None):
        self.socket = socket.socket()
        if window is not None:  # so that what is not read soon waits at the server
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))

    def send(self, message):
        self.socket.sendall(struct.pack(">H", len(message)) + message)

    def read(self, n_bytes):
        data = b""
        while len(data) < n_bytes:
            more = self.socket.recv(n_bytes - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def message(self):
        return self.read(struct.unpack(">H", self.read(2))[0])

    def ask(self, message):
        self.send(message)
        return self.message()

    def close(self):
        self.socket.close()


def ask_udp(port, message):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(message, ("127.0.0.1", port))
        return sock.recv(4096)


# --- the zones ------------------------------------------------------------------------------------


class World:
    """Configuration, zone files, manifests; and what changes in them."""

    def __init__(self, dir, ports):
        self.dir = dir
        self.ports = ports
        self.random = random.Random(7)
        self.hosts = {f"h{i}": f"192.0.2.{i + 1}" for i in range(40)}
        self.names = {f"n{i}": [f"198.51.100.{i + 1}"] for i in range(40)}
        self.serial = 2026010101
        self.n_changes = 0
        (dir / "c1").mkdir()
        for key, secret in SECRETS.items():
            path = dir / f"{key}.secret"
            path.write_bytes(base64.b64encode(secret) + b"\n")
            path.chmod(0o600)
        self.write_static()
        self.write_custom()
        self.write_big(0)
        notify = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
        (dir / "pintle.yaml").write_text(f"""\
apiVersion: pintle.dev/v1alpha1
kind: PintleConfig
clusters: [{{name: c1, directory: c1}}]
zones:
  custom: [{CUSTOM}]
  files:
    - {{zone: {STATIC}, file: static.zone}}
    - {{zone: {BIG}, file: big.zone}}
    - {{zone: closed.example, file: static.zone}}
tsigKeys:
  - {{name: {KEY}, algorithm: hmac-sha256, secretFile: {KEY}.secret}}
  - {{name: {OTHER_KEY}, secretFile: {OTHER_KEY}.secret}}
transfers:
  - {{zone: {STATIC}, allow: ["key:{KEY}"], notify: [{notify}], key: {KEY}}}
  - {{zone: {CUSTOM}, allow: ["key:{KEY}"], notify: [{notify}], key: {KEY}}}
  - {{zone: {BIG}, allow: [127.0.0.0/8]}}
stateDir: state
shutdown: {{lameduck: 0}}
""")

    def put(self, name, text):
        fresh = self.dir / f".{name.replace('/', '_')}.new"
        fresh.write_text(text)
        fresh.rename(self.dir / name)

    def write_static(self):
        lines = [f"{name} A {ip}" for name, ip in sorted(self.hosts.items())]
        self.put("static.zone", f"""\
$TTL 60
@ SOA ns1 hostmaster {self.serial} 60 60 86400 5
@ NS ns1
ns1 A 192.0.2.253
@ MX 10 h0
sub NS ns.sub
ns.sub A 192.0.2.254
*.wild TXT "wild; card"
old DNAME new
""" + "\n".join(lines) + "\n")

    def write_custom(self):
        entries = "".join(f"    - {{dnsName: {name}.{CUSTOM}, recordType: A, targets: [{', '.join(ips)}]}}\n"
                          for name, ips in sorted(self.names.items()))
        self.put("c1/names.yaml", f"""\
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {{name: names, namespace: d}}
spec:
  endpoints:
    - {{dnsName: ns1.{CUSTOM}, recordType: A, targets: [198.51.100.253]}}
    - {{dnsName: "*.wild.{CUSTOM}", recordType: CNAME, targets: [n0.{CUSTOM}]}}
{entries}""")

    def write_big(self, generation):
        filler = "f" * 230
        lines = "".join(f"x{i} TXT \"generation {generation} {filler}\"\n" for i in range(BIG_NAMES))
        self.put("big.zone", f"$TTL 60\n@ SOA ns1 h {generation + 1} 60 60 86400 5\n@ NS ns1\nns1 A 192.0.2.1\n{lines}")

    def change(self):
        """One change, of either zone: an address, a name that comes, one that goes, several at once."""
        self.n_changes += 1
        is_static = self.n_changes % 2 == 0
        records = self.hosts if is_static else self.names
        for _ in range(self.random.choice((1, 1, 1, 3))):
            name = f"{'h' if is_static else 'n'}{self.random.randrange(60)}"
            if name in records and self.random.random() < 0.4 and len(records) > 10:
                del records[name]
            elif is_static:
                records[name] = f"192.0.2.{self.random.randrange(1, 250)}"
            else:
                records[name] = [f"198.51.100.{self.random.randrange(1, 125)}",
                                 f"198.51.100.{self.random.randrange(126, 250)}"][:self.random.randrange(1, 3)]
        if is_static:
            self.serial += self.random.choice((0, 1, 1, 5))
            self.write_static()
        else:
            self.write_custom()


# --- secondaries ----------------------------------------------------------------------------------


class Secondary:
    """A server of somebody else, under our eyes."""

    def __init__(self, dir, name, port, command):
        self.name, self.port = name, port
        self.log = dir / f"{name}.log"
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=dir)

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def knot(dir, port, primary):
    home = dir / "knot"
    home.mkdir()
    secret = base64.b64encode(SECRETS[KEY]).decode()
    (home / "knot.conf").write_text(f"""\
server:
    rundir: "{home}"
    listen: 127.0.0.1@{port}
database:
    storage: "{home}"
    journal-db-mode: asynchronous
log:
  - target: stderr
    any: info
key:
  - id: {KEY}
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: primary
    address: 127.0.0.1@{primary}
    key: {KEY}
acl:
  - id: from_primary
    address: 127.0.0.1
    key: {KEY}
    action: notify
  - id: everybody
    address: 127.0.0.1
    action: transfer
template:
  - id: default
    storage: "{home}"
    master: primary
    acl: [from_primary, everybody]
    semantic-checks: off
zone:
  - domain: {STATIC}
  - domain: {CUSTOM}
""")
    return Secondary(dir, "knot", port, [shutil.which("knotd", path=SBIN), "-c", str(home / "knot.conf")])


def bind(dir, port, primary):
    home = dir / "bind"
    home.mkdir()
    secret = base64.b64encode(SECRETS[KEY]).decode()
    zone = "\n".join(f"""zone "{zone}" {{ type secondary; file "{zone}.db"; masterfile-format text;
    primaries port {primary} {{ 127.0.0.1 key "{KEY}"; }}; allow-notify {{ key "{KEY}"; }}; }};"""
                     for zone in (STATIC, CUSTOM))
    (home / "named.conf").write_text(f"""\
key "{KEY}" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{ directory "{home}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
    pid-file none; session-keyfile none; managed-keys-directory "{home}"; allow-transfer {{ any; }}; notify no;
    dnssec-validation no; min-refresh-time 5; max-refresh-time 30; min-retry-time 1; max-retry-time 5; }};
controls {{ }};
{zone}
""")
    return Secondary(dir, "bind", port, [shutil.which("named", path=SBIN), "-g", "-n", "1", "-c",
                                         str(home / "named.conf")])


def kdig(port, *words):
    done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(port), "+retry=0", "+timeout=10", *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout


def key_option(key=KEY):
    return ["-y", f"hmac-sha256:{key}:{base64.b64encode(SECRETS[key]).decode()}"]


def serial(port, zone):
    found = re.search(r"SOA\s+\S+ \S+ (\d+) ", kdig(port, "+short", zone, "SOA").join(("SOA ", "")))
    return int(found.group(1)) if found else None


def whole(port, zone, *options):
    """Its records as a set of lines, from a transfer; the SOA comes twice and is here once."""
    text = kdig(port, *options, zone, "AXFR")
    rows = [re.sub(r"\s+", " ", line) for line in text.splitlines() if line and not line.startswith(";")]
    return {row for row in rows if " TSIG " not in row}


def count(daemon, event):
    found = re.search(rf'pintle_dns_events_total{{event="{event}"}} (\d+)', daemon.get("/metrics")[1])
    return int(found.group(1)) if found else -1


def follow(checks, dir, world, daemon, n_changes):
    """Real servers follow many changes, by steps, and have what we have."""
    missing = [name for name in ("knotd", "named", "kdig", "dig") if not shutil.which(name, path=SBIN)]
    if not checks.check("knotd, named, kdig and dig are installed (./x setup test)", not missing, missing):
        return
    secondaries = [knot(dir, world.ports[0], daemon.port), bind(dir, world.ports[1], daemon.port)]
    try:
        for one in secondaries:
            for zone in (STATIC, CUSTOM):
                checks.becomes(f"{one.name} gets {zone}", lambda: serial(one.port, zone),
                               lambda seen: seen is not None and seen == serial(daemon.port, zone), FOLLOW_S)
        before = count(daemon, "ixfr")
        for _ in range(n_changes):
            world.change()
            time.sleep(0.12)
        catch_up(checks, daemon, secondaries)
        steps = count(daemon, "ixfr") - before
        checks.check(f"they were given steps, not zones ({steps} IXFR, {count(daemon, 'axfr')} AXFR)",
                     steps >= 10 and count(daemon, "axfr") <= 12, daemon.get("/metrics")[1][-3000:])
        checks.equal("nobody was cut off", count(daemon, "transfers_cut"), 0)
    finally:
        for one in secondaries:
            one.stop()
    for one in secondaries:
        text = one.log.read_text(errors="replace")
        bad = [line for line in text.splitlines()
               if re.search(r"BADSIG|BADKEY|BADTIME|verify failure|FORMERR|malformed|bad sequence|not exact", line)]
        checks.check(f"{one.name} found nothing wrong with what it got", not bad, "\n".join(bad[:5]))


def catch_up(checks, daemon, secondaries):
    for one in secondaries:
        for zone in (STATIC, CUSTOM):
            checks.becomes(f"{one.name} has the latest serial of {zone}",
                           lambda: (serial(one.port, zone), serial(daemon.port, zone)),
                           lambda seen: seen[0] == seen[1], FOLLOW_S)
            ours, theirs = whole(daemon.port, zone, *key_option()), whole(one.port, zone)
            checks.check(f"{one.name}'s {zone} is ours ({len(ours)} records)",
                         len(ours) > 20 and ours == theirs, f"only here {sorted(ours - theirs)[:5]}\n        "
                         f"only there {sorted(theirs - ours)[:5]}")


# --- who may --------------------------------------------------------------------------------------


def permissions(checks, daemon):
    port = daemon.port
    stream = Stream(port)
    checks.equal("a transfer nobody allowed is REFUSED", rcode(stream.ask(query("closed.example", AXFR))), REFUSED)
    checks.equal("on the same connection a question is answered",
                 rcode(stream.ask(query(f"ns1.{STATIC}", NS_A))), NOERROR)
    checks.equal("without the key it is REFUSED", rcode(stream.ask(query(STATIC, AXFR))), REFUSED)
    for zone in (f"h1.{STATIC}", "clusterset.local", "pintle.internal", "nowhere.test", "."):
        checks.equal(f"a transfer of {zone} is REFUSED", rcode(stream.ask(query(zone, AXFR))), REFUSED)
    reply = stream.ask(sign(query(STATIC, AXFR), OTHER_KEY)[0])
    checks.equal("another known key is REFUSED", (rcode(reply), tsig_error(reply)), (REFUSED, 0))
    reply = stream.ask(sign(query(STATIC, AXFR), "unknown.example", secret=b"x" * 32)[0])
    checks.equal("an unknown key is NOTAUTH, BADKEY", (rcode(reply), tsig_error(reply)), (NOTAUTH, BADKEY))
    reply = stream.ask(sign(query(STATIC, AXFR), KEY, secret=b"x" * 32)[0])
    checks.equal("a wrong secret is NOTAUTH, BADSIG", (rcode(reply), tsig_error(reply)), (NOTAUTH, BADSIG))
    reply = stream.ask(sign(query(STATIC, AXFR), KEY, late_s=600)[0])
    checks.equal("a clock 10 minutes late is NOTAUTH, BADTIME", (rcode(reply), tsig_error(reply)), (NOTAUTH, BADTIME))
    reply = stream.ask(sign(query(STATIC, AXFR), KEY)[0])
    checks.equal("the right key gets the zone", (rcode(reply), tsig_error(reply), reply[6:8] > b"\0\1"),
                 (NOERROR, 0, True))
    checks.equal("an IXFR without a serial is malformed", rcode(stream.ask(query(BIG, IXFR))), FORMERR)
    stream.close()
    checks.equal("AXFR over UDP is malformed", rcode(ask_udp(port, query(BIG, AXFR))), FORMERR)
    checks.equal("and REFUSED to who may not", rcode(ask_udp(port, query(STATIC, AXFR))), REFUSED)
    reply = ask_udp(port, query(BIG, IXFR, serial=0))
    checks.equal("IXFR over UDP is answered with the SOA alone", (rcode(reply), reply[6:8]), (NOERROR, b"\0\1"))
    text = kdig(port, "+notcp", *key_option(), f"ns1.{STATIC}", "A")
    checks.check("a signed question is answered signed", "192.0.2.253" in text and "TSIG PSEUDOSECTION" in text, text)
    done = subprocess.run(["dig", "@127.0.0.1", "-p", str(port), *key_option(), "+tries=1", f"h0.{STATIC}"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    checks.check("dig -y believes the answer", "status: NOERROR" in done.stdout and "TSIG" in done.stdout
                 and "WARN" not in done.stdout.replace("WARNING: recursion", "") and "Couldn't" not in done.stdout,
                 done.stdout)


# --- one serial per transfer ----------------------------------------------------------------------


def generations(message):
    return {int(found) for found in re.findall(rb"generation (\d+)", message)}


def one_generation(checks, world, daemon):
    """A slow client reads while the zone is replaced again and again."""
    if SLOW > 1:
        return  # its clients read for longer than a connection may be idle; plain and ASan builds are asked
    slow = Stream(daemon.port, 4096)
    slow.send(query(BIG, AXFR))
    first = slow.message()
    seen, n_records, n_messages = generations(first), struct.unpack(">H", first[6:8])[0], 1
    stop = threading.Event()

    def churn():
        generation = 1
        while not stop.is_set():
            world.write_big(generation)
            generation += 1
            time.sleep(0.1)

    thread = threading.Thread(target=churn)
    thread.start()
    other = Stream(daemon.port)
    longest = 0.0
    while n_records < BIG_NAMES + 4:
        time.sleep(0.005)
        start = time.monotonic()
        other.ask(query(f"ns1.{BIG}", NS_A))
        longest = max(longest, time.monotonic() - start)
        message = slow.message()
        seen |= generations(message)
        n_records += struct.unpack(">H", message[6:8])[0]
        n_messages += 1
    stop.set()
    checks.equal("behind a transfer, the same connection is answered",
                 rcode(slow.ask(query(f"ns1.{BIG}", NS_A))), NOERROR)
    thread.join()
    checks.equal(f"a transfer of {n_messages} messages shows one generation", (len(seen), n_records),
                 (1, BIG_NAMES + 4))
    checks.check("others are answered meanwhile", longest < 5, longest)
    now = serial(daemon.port, BIG)
    checks.check("while the zone has moved on", now is not None and now > 1, now)
    gone = Stream(daemon.port, 4096)
    gone.send(query(BIG, AXFR))
    gone.message()
    gone.close()
    checks.becomes("a client that leaves is noticed", lambda: count(daemon, "transfers_cut"), lambda n: n >= 1)
    slow.close()
    other.close()
    world.write_big(0)


# --- NOTIFY and serials ---------------------------------------------------------------------------


def notify(checks, world, daemon, sock):
    """A change is told, within 2 s on a machine that is not busy, signed; again to who does not answer; at most once a second."""
    sock.settimeout(0.1)
    drain(sock)
    start = time.monotonic()
    world.hosts["h0"] = "192.0.2.99"
    world.serial += 1
    world.write_static()
    told = wait_for_notify(sock, STATIC)
    took = time.monotonic() - start
    checks.check(f"a change is told ({took:.2f} s)", told is not None, told)
    if told is None:
        return
    again = wait_for_notify(sock, STATIC)
    checks.check("again, when nobody answers", again is not None, again)
    checks.check("it is signed", again is not None and wire_name(KEY) in again[0], again)
    message, sender = again
    mac_at = message.rfind(wire_name("hmac-sha256")) + 13 + 8 + 2
    mac = message[mac_at:mac_at + 32]
    answer = message[:2] + b"\xa4\0" + message[4:10] + b"\0\0" + message[12:12 + len(wire_name(STATIC)) + 4]
    signed = sign(answer, KEY, before=struct.pack(">H", 32) + mac)[0]
    sock.sendto(signed, sender)
    checks.check("not any more, when it is answered", wait_for_notify(sock, STATIC, 5) is None, "told again")
    page = daemon.get("/metrics")[1]
    checks.check("the metrics know", re.search(r"pintle_notify_answered_total [1-9]", page)
                 and re.search(r"pintle_notify_sent_total [1-9]", page), page[-2000:])


def drain(sock):
    try:
        while True:
            sock.recvfrom(4096)
    except OSError:
        pass


def wait_for_notify(sock, zone, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            message, sender = sock.recvfrom(4096)
        except OSError:
            continue
        if message[2] == 0x24 and message[12:].startswith(wire_name(zone)):
            return message, sender
    return None


def serials(checks, dir, world, daemon):
    """No serial comes back: not after kill -9, not when the clock was ahead before."""
    before = {zone: serial(daemon.port, zone) for zone in (STATIC, CUSTOM)}
    checks.equal("kill -9", daemon.stop(signal.SIGKILL), -9)
    world.change()
    world.change()
    daemon = e2e.Daemon(dir, "killed", "--config", dir / "pintle.yaml")
    checks.becomes("after kill -9, serials go on",
                   lambda: {zone: serial(daemon.port, zone) for zone in before},
                   lambda now: all(now[zone] is not None and now[zone] >= before[zone] for zone in before)
                   and now[CUSTOM] > before[CUSTOM])
    daemon.stop()
    state = dir / "state" / "serials.json"
    ahead = int(time.time()) + 300_000_000
    state.write_text(re.sub(r'"next":\d+', f'"next":{ahead}', state.read_text()))
    daemon = e2e.Daemon(dir, "ahead", "--config", dir / "pintle.yaml")
    checks.becomes("a clock that was years ahead before does not take serials back",
                   lambda: serial(daemon.port, CUSTOM), lambda now: now is not None and now >= ahead)
    checks.equal("the daemon ends well", daemon.stop(), 0)


def other_transports(checks, dir):
    """The same over DoT; nothing of it over DoH."""
    tls.make_certificate(dir)
    config = dir / "pintle.yaml"
    config.write_text(config.read_text() + """\
listen:
  - {address: 127.0.0.1:0}
  - {address: 127.0.0.1:0, tls: {certificate: tls.crt, key: tls.key}}
  - {address: 127.0.0.1:0, https: {certificate: tls.crt, key: tls.key}}
""")
    daemon = tls.TlsDaemon(dir, "dot")
    try:
        checks.becomes("the daemon is ready", lambda: daemon.get("/readyz")[0], lambda code: code == 200)
        plain = whole(daemon.port, STATIC, *key_option())
        checks.check("a transfer over DoT is the one over TCP",
                     len(plain) > 20 and whole(daemon.dot, STATIC, "+tls", *key_option()) == plain, plain)
        checks.check("a long one too", len(whole(daemon.dot, BIG, "+tls")) == BIG_NAMES + 3, "")
        checks.check("over DoT, too, no key is no transfer", not whole(daemon.dot, STATIC, "+tls"), "")
        text = kdig(daemon.dot, "+tls", "-y", f"hmac-sha256:{KEY}:{base64.b64encode(b'x' * 32).decode()}", STATIC, "SOA")
        checks.check("over DoT, too, a wrong secret is NOTAUTH", "BADSIG" in text, text)
        port = int(re.search(r"answering DNS on 127\.0\.0\.1:(\d+) \(https", daemon.log_text()).group(1))
        for what, message in (("AXFR", query(BIG, AXFR)), ("IXFR", query(BIG, IXFR, serial=0)),
                              ("signed AXFR", sign(query(STATIC, AXFR), KEY)[0])):
            checks.equal(f"over DoH a {what} is REFUSED", rcode(post(port, message)), REFUSED)
        reply = post(port, sign(query(STATIC, SOA), KEY, secret=b"x" * 32)[0])
        checks.equal("over DoH, too, a wrong secret is NOTAUTH", (rcode(reply), tsig_error(reply)), (NOTAUTH, BADSIG))
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)


def post(port, message):
    """Asks over HTTP/1.1."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    connection.request("POST", "/dns-query", message, {"Content-Type": "application/dns-message"})
    body = connection.getresponse().read()
    connection.close()
    return body


def all_parts(checks, dir, n_changes):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        world = World(dir, [free_port(), free_port(), listener.getsockname()[1]])
        daemon = e2e.Daemon(dir, "transfers", "--config", dir / "pintle.yaml")
        try:
            checks.becomes("the daemon is ready", lambda: daemon.get("/readyz")[0], lambda code: code == 200)
            permissions(checks, daemon)
            notify(checks, world, daemon, listener)
            follow(checks, dir, world, daemon, n_changes)
            one_generation(checks, world, daemon)
            serials(checks, dir, world, daemon)
        finally:
            daemon.stop()
        other_transports(checks, dir)


def everything(checks, dir):
    all_parts(checks, dir, int(sys.argv[1]) if len(sys.argv) > 1 else 60)


if __name__ == "__main__":
    sys.exit(e2e.play("transfers", everything))
