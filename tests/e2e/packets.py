#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile packets, class by class, over UDP, TCP, DoT and DoH, against one pintled that must live through all of them.

Behind every packet a plain question goes, and has its answer within a second from the same process. Prints one line per
class and, last, "N passed, N failed". PINTLED names the program, so that a sanitized build can be driven too; --seed
and --mutations repeat or lengthen the random part.
"""

import argparse
import http.client
import os
import pathlib
import random
import re
import resource
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
import transports  # noqa: E402
import wire  # noqa: E402
from starved import starved_s  # noqa: E402
from wire import FORMERR, NOERROR, NOTAUTH, NOTIMP, NXDOMAIN, REFUSED, message, opt, option, query, question  # noqa: E402

Z = transports.ZONE_NAME
WWW = f"www.{Z}"
PROBE_ID, HOSTILE_ID = 0xBEEF, 0x0666
DROP = None
UDP_MAX = 1232
RSS_GROWTH_MIB = 64
TSIG, SIG, TKEY, SVCB, APL = 250, 24, 249, 64, 42

MALFORMED = {FORMERR, DROP}
SOME_ANSWER = {NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH}


def hostile(body=b"", flags=0, counts=(1, 0, 0, 0)):
    return message(body, HOSTILE_ID, flags, counts)


def ask(qname=WWW, qtype=wire.A, qclass=wire.IN, flags=0, edns=None):
    return query(qname, qtype, qclass, HOSTILE_ID, flags, edns)


def with_options(options):
    return ask(edns=opt(options))


def record(owner=b"\0", rrtype=wire.A, rrclass=wire.IN, rdata=b"", length=None):
    return owner + struct.pack("!HHIH", rrtype, rrclass, 0, len(rdata) if length is None else length) + rdata


def additional(*records):
    return hostile(question(WWW) + b"".join(records), counts=(1, 0, 0, len(records)))


def tsig(name=b"\3key\0", algorithm=b"\x0bhmac-sha256\0", mac=b"m" * 32, error=0, rrclass=255, mac_bytes=None):
    now = int(time.time()).to_bytes(6, "big")
    rdata = (algorithm + now + struct.pack("!HH", 300, len(mac) if mac_bytes is None else mac_bytes) + mac
             + struct.pack("!HHH", HOSTILE_ID, error, 0))
    return record(name, TSIG, rrclass, rdata)


# --- Classes: packets, and what may come back -------------------------------------------------------


def short():
    return [(bytes(range(n)), {DROP}) for n in range(12)]


def responses():
    return [(ask(flags=0x8000), {DROP}), (ask(flags=0x8180), {DROP}), (hostile(flags=0xFFFF), {DROP})]


def pointers():
    tail = struct.pack("!HH", wire.A, wire.IN)
    chain = b"".join(struct.pack("!H", 0xC000 | 12 + 2 * i) for i in range(200))
    names = [b"\xc0\x0c", b"\xc0\x0e", b"\xc0\xff", b"\xff\xff", b"\xc0\x00", b"\3www\xc0\x0c", b"\xc0", chain,
             b"\1a\xc0\x0c"]
    packets = [(hostile(name + tail), MALFORMED) for name in names]
    # behind the question: a pointer forward, to itself, past the end
    for target in (0x0C, 0x1D, 0x3FFF, 0x0B, 0x40):
        owner = struct.pack("!H", 0xC000 | target)
        packets.append((additional(record(owner)), MALFORMED | {NOERROR}))
    return packets


def labels():
    tail = struct.pack("!HH", wire.A, wire.IN)
    long = b"".join(b"\x3f" + b"l" * 63 for _ in range(4))
    return [(hostile(name + tail), MALFORMED) for name in
            (b"\x41a\0", b"\x81a\0", b"\x7f", b"\x3fabc", b"\3www", b"\3www\x01", long + b"\0", long + b"\1a\0",
             b"\1a" * 128 + b"\0", b"\1a" * 5000 + b"\0")]


def extremes():
    longest = b"".join(b"\x3f" + b"l" * 63 for _ in range(3)) + b"\x3d" + b"l" * 61 + b"\0"
    deepest = b"\1a" * 127 + b"\0"
    mine = b"\1a" * 122 + wire.name(Z)
    wanted = {REFUSED, NXDOMAIN, NOERROR}
    return [(ask(name), wanted) for name in (longest, deepest, mine)]


def octets():
    packets = []
    for octet in (0, ord("."), 0xFF, 0x0A, 0x1B, ord('"'), ord("%"), ord("\\")):
        packets.append((ask(b"\3a" + bytes([octet]) + b"b" + wire.name(Z)), {NXDOMAIN, FORMERR}))
        packets.append((ask(bytes([63]) + bytes([octet]) * 63 + b"\0"), {REFUSED, FORMERR}))
    return packets + [(ask(b"\4%n%n" + wire.name(Z)), {NXDOMAIN, FORMERR})]


def question_counts():
    wanted = {FORMERR, NOTIMP, DROP}
    return [(hostile(question(WWW) * min(n, 2), counts=(n, 0, 0, 0)), wanted) for n in (0, 2, 65535)] + [
        (hostile(), wanted), (hostile(b"", counts=(0, 0, 0, 0)), wanted),
        (hostile(question(WWW), counts=(0, 0, 0, 0)), wanted)]


def record_counts():
    wanted = MALFORMED | {NOERROR}
    return [(hostile(question(WWW), counts=counts), wanted)
            for counts in ((1, 65535, 0, 0), (1, 0, 65535, 0), (1, 0, 0, 65535), (1, 65535, 65535, 65535), (1, 0, 0, 1))]


def opts():
    one = option(wire.NSID)
    return [
        (additional(opt(), opt()), MALFORMED),
        (ask(edns=opt(owner=b"\1a\0")), MALFORMED),
        (ask(edns=opt(owner=b"\xc0\x0c")), MALFORMED),
        (ask(edns=opt(length=65535)), MALFORMED),
        (ask(edns=opt(one, length=3)), MALFORMED),
        (ask(edns=opt(struct.pack("!HH", 3, 500))), MALFORMED),
        (ask(edns=opt(b"\0\3\0")), MALFORMED),
        (ask(edns=opt(struct.pack("!HH", wire.COOKIE, 65535) + b"c" * 8)), MALFORMED),
    ]


def opt_elsewhere():
    wanted = MALFORMED | {NOERROR}
    return [(hostile(question(WWW) + opt(), counts=(1, 1, 0, 0)), wanted),
            (hostile(question(WWW) + opt(), counts=(1, 0, 1, 0)), wanted)]


def many_options():
    wanted = {NOERROR, FORMERR, wire.BADCOOKIE, DROP}
    packets = []
    for n in (100, 340):
        for one in (option(65001), option(wire.NSID), option(wire.PADDING), option(wire.EDE, b"\0\0")):
            packets.append((with_options(one * n), wanted))
    packets.append((with_options(option(wire.COOKIE, b"12345678") * 100), wanted))
    packets.append((with_options((option(wire.NSID) + option(wire.COOKIE, b"12345678") + option(wire.PADDING)) * 60),
                    wanted))
    return packets


def thousands_of_options():
    """For streams: what no datagram holds."""
    wanted = {NOERROR, FORMERR, wire.BADCOOKIE, DROP}
    return [(with_options(one * (65000 // len(one))), wanted) for one in
            (option(65001), option(wire.NSID), option(wire.COOKIE, b"12345678"), option(wire.PADDING, bytes(60)))]


def cookie_lengths():
    return [(with_options(option(wire.COOKIE, b"c" * n)), {FORMERR})
            for n in [*range(0, 8), *range(9, 16), 41, 64, 400]]


def wrong_cookies():
    wanted = {NOERROR, wire.BADCOOKIE}
    return [(with_options(option(wire.COOKIE, b"12345678" + bytes([1]) * n)), wanted) for n in (8, 16, 24, 32)] + [
        (with_options(option(wire.COOKIE, b"12345678" + b"\1\0\0\0" + struct.pack("!I", when) + b"h" * 8)), wanted)
        for when in (0, 2**31, 2**32 - 1, int(time.time()))]


def client_subnets():
    wanted = {NOERROR, FORMERR}
    options = [b"", b"\0", b"\0\1", b"\0\1\x18", b"\0\1\x18\0", b"\0\3\x18\0\1\2\3", b"\0\1\x21\0\1\2\3\4\5",
               b"\0\1\x18\0\1\2\3\4\5\6", b"\0\1\x17\0\1\2\3", b"\0\2\x81\0" + bytes(17), b"\0\2\x38\0" + bytes(60),
               b"\0\1\x18\x18\1\2\3", b"\0\0\0\0", b"\0\1\0\0"]
    return [(with_options(option(wire.ECS, data)), wanted) for data in options]


def misplaced_options():
    wanted = {NOERROR, FORMERR}
    return [(with_options(data), wanted) for data in
            (option(wire.KEEPALIVE), option(wire.KEEPALIVE, b"\xff\xff"), option(wire.KEEPALIVE, b"\0" * 9),
             option(18, b"\x3f" + b"r" * 300), option(18, wire.name("a" * 60 + "." + "b" * 60)),
             option(wire.EDE, b"\0\x16"), option(wire.EDE, b""), option(wire.EXPIRE, b"\0\0\0\1"), option(65518, b"n" * 200))]


def opcodes():
    wanted = {NOTIMP, FORMERR, REFUSED, DROP}
    packets = []
    for opcode in (1, 2, 3, *range(6, 16)):
        for body, counts in ((question(WWW), (1, 0, 0, 0)), (b"", (0, 0, 0, 0)), (os.urandom(80), (1, 2, 3, 4))):
            packets.append((hostile(body, opcode << 11, counts), wanted))
    return packets


def notify_update():
    wanted = {NOTIMP, REFUSED, NOTAUTH, FORMERR, DROP}
    packets = [(hostile(question(Z, wire.SOA), 4 << 11), wanted)]
    for rrclass in (wire.IN, 255, 254, wire.CH):
        packets.append((hostile(question(Z, wire.SOA) + record(wire.name(f"evil.{Z}"), wire.A, rrclass, b"\1\2\3\4"),
                                5 << 11, (1, 0, 1, 0)), wanted))
        packets.append((hostile(question(Z, wire.SOA, rrclass), 5 << 11), wanted))
        packets.append((hostile(question(Z, wire.SOA, rrclass), 4 << 11), wanted))
    return packets


def every_type():
    types = [*range(0, 300), 32768, 32769, 65280, 65281, 65534, 65535]
    return [(ask(WWW, n), SOME_ANSWER) for n in types] + [(ask(f"no.{Z}", n), SOME_ANSWER) for n in (0, 41, 249, 250, 65535)]


def every_class():
    return [(ask(Z, wire.SOA, n), SOME_ANSWER) for n in (0, 2, 3, 4, 5, 253, 254, 255, 256, 65280, 65535)] + [
        (ask("version.bind", wire.TXT, n), SOME_ANSWER) for n in (3, 4, 254, 255)]


def trailing():
    packets = [(ask() + b"\0" * n, {NOERROR, FORMERR, DROP}) for n in (1, 4, 500)]
    whole = ask(f"a.b.ent.{Z}")
    return packets + [(whole[:n], MALFORMED) for n in range(12, len(whole))]


def records_in_queries():
    wanted = MALFORMED | {NOERROR}
    return [(additional(one), wanted) for one in (
        record(rdata=b"\1\2\3\4", length=65535), record(rdata=b"", length=1), record(b"\1a\0", wire.A, rdata=b"\1" * 4),
        record(rrtype=SVCB, rdata=b"\0\1\0" + struct.pack("!HH", 1, 9999)),
        record(rrtype=SVCB, rdata=b"\0\1\0" + struct.pack("!HHHH", 1, 1, 1, 65535)),
        record(rrtype=APL, rdata=b"\0\1\x18\x7f\1"), record(rrtype=APL, rdata=b"\0\1\xff\xff"),
        record(rrtype=wire.SOA, rdata=b"\xc0\x0c\xc0"), record(rrtype=wire.NS, rdata=b"\xc0\xff"))]


def tsig_unknown_key():
    return [(additional(tsig()), {NOTAUTH, REFUSED}), (additional(opt(), tsig()), {NOTAUTH, REFUSED})]


def tsig_lies():
    wanted = {NOTAUTH, FORMERR, REFUSED, DROP}
    return [(additional(*records), wanted) for records in (
        [tsig(algorithm=b"\5gmd-5\0")], [tsig(algorithm=b"\xc0\x0c")], [tsig(mac_bytes=65535)], [tsig(mac=b"m")],
        [tsig(mac=b"")], [tsig(error=17)], [tsig(), opt()], [tsig(), tsig()], [tsig(rrclass=wire.IN)],
        [record(b"\3key\0", TSIG, 255, b"")], [record(b"\3key\0", TSIG, 255, b"\xff" * 40)],
        [tsig(name=b"\xc0\x0c")], [tsig(name=b"\0")])]


def tkey_sig0():
    wanted = {NOTIMP, REFUSED, NOTAUTH, NOERROR, FORMERR, DROP}
    return [(ask(Z, TKEY), wanted), (additional(record(b"\3key\0", TKEY, 255, bytes(30))), wanted),
            (additional(record(b"\0", SIG, 255, bytes(18) + b"\0" + bytes(64))), wanted)]


def large():
    wanted = {NOERROR, FORMERR, DROP}
    return [(ask() + os.urandom(n), wanted) for n in (600, 1331, 1332, 1500, 4096, 9000, 65000)] + [
        (with_options(option(65001, bytes(n))), wanted) for n in (1000, 1280, 1300, 60000)]


CLASSES = [
    ("fewer than 12 octets", short), ("QR = 1", responses), ("compression pointers", pointers),
    ("label types, labels past the end, names too long", labels), ("legal extremes: 255 octets, 127 labels", extremes),
    ("NUL, dot, 0xFF and their like inside a label", octets), ("QDCOUNT 0, 2, 65535", question_counts),
    ("ANCOUNT, NSCOUNT, ARCOUNT 65535 with nothing there", record_counts),
    ("two OPTs, an OPT with an owner, lengths past the end", opts), ("an OPT in another section", opt_elsewhere),
    ("hundreds of EDNS options", many_options), ("cookies of lengths that are none", cookie_lengths),
    ("wrong server cookies", wrong_cookies), ("malformed client subnets", client_subnets),
    ("options where they mean nothing", misplaced_options), ("opcodes 1, 2, 3, 6 to 15", opcodes),
    ("NOTIFY and UPDATE, unsigned", notify_update), ("every QTYPE", every_type), ("every QCLASS", every_class),
    ("trailing octets, a question cut short", trailing), ("records in a query with lengths that lie", records_in_queries),
    ("TSIG with an unknown key", tsig_unknown_key), ("TSIG that lies", tsig_lies), ("TKEY and SIG(0)", tkey_sig0),
    ("datagrams up to the maximum", large),
]


# --- Ways to send them ------------------------------------------------------------------------------


class Fault(Exception):
    """What an answer must not be."""


def judge(packet, data, wanted, is_udp):
    """Whether what came back is allowed."""
    if data is None:
        if DROP not in wanted and len(packet) >= 12:
            raise Fault("no answer")
        return
    reply = wire.Reply(data)
    if not reply.qr or data[:2] != packet[:2]:
        raise Fault(f"not QR or another id: {reply}")
    if reply.rcode not in wanted:
        raise Fault(f"wanted {wanted}: {reply}")
    if is_udp and len(data) > max(UDP_MAX, len(packet)):
        raise Fault(f"{len(data)} octets")
    if reply.flags & 0x40 or (reply.opcode != 0 and reply.flags & 0x7F0):
        raise Fault(f"flags: {reply}")


def probe_wire():
    return query(WWW, ident=PROBE_ID)


def is_probe(data):
    return data[:2] == PROBE_ID.to_bytes(2, "big") and wire.Reply(data).counts[1] == 1


class Udp:
    """A socket: packet and probe go out together, so that silence needs no waiting."""

    def __init__(self, server):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(1)
        self.sock.connect(("127.0.0.1", server.port))

    def exchange(self, packet):
        self.sock.send(packet)
        self.sock.send(probe_wire())
        came = None
        try:
            while True:
                data = self.sock.recv(65535)
                if is_probe(data):
                    return came
                came = data
        except TimeoutError as error:
            raise Fault("a plain question behind it is not answered within a second") from error

    def close(self):
        self.sock.close()


class OverStream:
    """A connection; one that was closed is opened again."""

    def __init__(self, server, name, wrap):
        self.port, self.wrap, self.stream = server.ports[name], wrap, None

    def exchange(self, packet):
        self.stream = self.stream or wire.Stream(self.port, self.wrap, 1)
        came = data = None
        try:
            self.stream.send(packet)
            self.stream.send(probe_wire())
            data = self.stream.receive()
            if data is not None and not is_probe(data):
                came, data = data, self.stream.receive()
        except OSError:
            data = None
        if data is not None:
            return came
        self.close()  # it was closed, which is allowed: the same process answers the next one
        with wire.Stream(self.port, self.wrap, 1) as again:
            if again.ask(probe_wire()) is None:
                raise Fault("a plain question behind it is not answered within a second")
        return came

    def close(self):
        if self.stream:
            self.stream.close()
        self.stream = None


class OverHttps:
    """POST bodies over HTTP/1.1; an error of HTTP is as good as silence."""

    def __init__(self, server):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.connection = http.client.HTTPSConnection("127.0.0.1", server.ports["doh"], timeout=1, context=context)

    def post(self, body):
        try:
            self.connection.request("POST", "/dns-query", body, {"Content-Type": "application/dns-message"})
            reply = self.connection.getresponse()
            data = reply.read()
            return data if reply.status == 200 else None
        except (http.client.HTTPException, OSError):
            self.connection.close()
            return None

    def exchange(self, packet):
        came = self.post(packet)
        data = self.post(probe_wire())
        if data is None or not is_probe(data):
            raise Fault("a plain question behind it is not answered within a second")
        return came

    def close(self):
        self.connection.close()


def by_class(checks, way, name, classes):
    for title, make in classes:
        wrong = []
        for packet, wanted in make():
            try:
                if name == "udp" and len(packet) > 65507:
                    continue
                judge(packet, way.exchange(packet), wanted, name == "udp")
            except (Fault, ValueError, IndexError, struct.error) as fault:
                wrong.append(f"{fault} <- {packet[:60].hex()}{'...' if len(packet) > 60 else ''} ({len(packet)})")
        checks.check(f"{name}: {title}", not wrong, "\n        ".join(wrong[:5]))


# --- What only streams can do ------------------------------------------------------------------------


def tcp_framing(checks, server):
    plain = probe_wire()

    def still_answers(what):
        with wire.Stream(server.port) as stream:
            tcp = stream.ask(plain)
        checks.check(f"tcp: {what}", tcp and wire.ask_udp(server.port, plain), "no answer any more")

    with wire.Stream(server.port) as stream:
        stream.send(plain[:2] + b"\x80\0" + plain[4:])
        checks.check("tcp: QR = 1 is silence, the next question is answered", stream.ask(plain) is not None)
    for what, raw in (("a length of 0", b"\0\0"), ("a length of 11", b"\0\x0b" + bytes(11)),
                      ("a length larger than what is sent", b"\xff\xff" + plain),
                      ("a length alone", b"\0\x20"), ("half a length", b"\0")):
        with wire.Stream(server.port) as stream:
            stream.raw(raw)
        still_answers(what)
    with wire.Stream(server.port) as stream:
        stream.send(bytes(65535))
        stream.receive()
    still_answers("a message of 65535 octets")


def tcp_crowds(checks, server):
    plain = probe_wire()
    linger = struct.pack("ii", 1, 0)
    for _ in range(500):
        sock = socket.create_connection(("127.0.0.1", server.port), 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        sock.send(b"\0\x20half a question")
        sock.close()
    checks.check("tcp: 500 connections reset in the middle of a question",
                 wire.ask_udp(server.port, plain) is not None)
    fds = f"/proc/{server.child.pid}/fd"
    checks.becomes("tcp: and no descriptor is left behind", lambda: len(os.listdir(fds)), lambda n: n < 100)
    silent = []
    for _ in range(20):  # answers of 3 kB each, never read
        sock = socket.create_connection(("127.0.0.1", server.port), 1)
        sock.setblocking(False)
        big = query(f"big.{Z}", wire.TXT)
        try:
            for _ in range(5000):
                sock.send(len(big).to_bytes(2, "big") + big)
        except BlockingIOError:
            pass
        silent.append(sock)
    start = time.monotonic()
    with wire.Stream(server.port) as stream:
        answered = stream.ask(plain) is not None and wire.ask_udp(server.port, plain) is not None
    checks.check("tcp: 20 clients that never read hold nobody up", answered and time.monotonic() - start - starved_s(start) < 5)
    for sock in silent:
        sock.close()
    idle = [socket.create_connection(("127.0.0.1", server.port), 1) for _ in range(400)]
    with wire.Stream(server.port) as stream:
        checks.check("tcp: 400 idle connections hold nobody up", stream.ask(plain) is not None)
    for sock in idle:
        sock.close()


# --- At random ---------------------------------------------------------------------------------------


def mutate(rng, packet):
    packet = bytearray(packet)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        what, at = rng.randrange(5), rng.randrange(len(packet) or 1)
        if what == 0 and packet:
            packet[at % len(packet)] ^= 1 << rng.randrange(8)
        elif what == 1 and packet:
            packet[at % len(packet)] = rng.choice((0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF, rng.randrange(256)))
        elif what == 2:
            packet[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
        elif what == 3:
            del packet[at:at + rng.randrange(1, 9)]
        else:
            packet = packet[:at] if rng.randrange(4) == 0 else packet + packet[at:at + 20]
    return bytes(packet[:1400])


def mutations(checks, server, n, seed):
    """Byte by byte, by the thousand; a probe behind each fifty."""
    rng = random.Random(seed)
    seeds = [packet for _, make in CLASSES for packet, _ in make() if 12 <= len(packet) <= 600]
    way, unanswered, wrong = Udp(server), 0, []
    way.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    for _ in range(n // 50):
        for _ in range(49):
            way.sock.send(mutate(rng, rng.choice(seeds)))
        try:
            way.sock.send(probe_wire())
            while True:
                data = way.sock.recv(65535)
                if len(data) < 12 or not data[2] & 0x80 or len(data) > 1400:
                    wrong.append(data.hex())
                elif data[:2] == PROBE_ID.to_bytes(2, "big"):
                    break
        except TimeoutError:
            unanswered += 1
    way.close()
    checks.check(f"udp: {n} packets mutated at random (--seed {seed}): every probe is answered",
                 not unanswered and not wrong, f"{unanswered} unanswered; {wrong[:3]}")


def stream_mutations(checks, server, n, seed):
    rng = random.Random(seed + 1)
    seeds = [packet for _, make in CLASSES for packet, _ in make() if 12 <= len(packet) <= 600]
    way, wrong = OverStream(server, "tcp", None), 0
    for _ in range(n):
        try:
            way.exchange(mutate(rng, rng.choice(seeds)))
        except (Fault, ValueError, IndexError, struct.error):
            wrong += 1
    way.close()
    checks.check(f"tcp: {n} messages mutated at random (--seed {seed}): every probe is answered", wrong == 0, wrong)


# --- The whole ---------------------------------------------------------------------------------------


def rss_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def is_sanitized(pid):
    return "asan" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def log_is_clean(checks, server):
    """LOG1: whatever names hold, a log line is one line of printable letters."""
    text = server.log.read_bytes()
    bad = [line for line in text.split(b"\n") if line and not re.match(rb"\d{4}-\d\d-\d\dT", line)]
    checks.check("LOG1: the log holds whole lines only", not bad, bad[:3])
    checks.check("LOG1: and no control character", not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", text))
    queries = (server.dir / "queries.log").read_bytes()
    bad = [line for line in queries.split(b"\n") if line and not line.startswith(b"[INFO] 127.0.0.1:")]
    checks.check("LOG1: the query log is a line for each question", not bad and queries.count(b"\n") > 1000, bad[:3])
    checks.check("LOG1: its names are printable", not re.search(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]", queries))
    metrics = server.get("/metrics")[1]
    checks.check("LOG1: no label is a client's", "evil" not in metrics and "\\" not in metrics and "%n" not in metrics)


def everything(checks, dir, args):
    server = transports.Server(dir, "hostile", "workers: 1\nqueryLog: {file: queries.log}\n")
    pid = server.child.pid
    try:
        with wire.Stream(server.port) as stream:  # what is allocated once is not growth
            stream.ask(probe_wire())
        before = rss_mib(pid)
        ways = [("udp", Udp(server)), ("tcp", OverStream(server, "tcp", None)),
                ("dot", OverStream(server, "dot", server.wrap_tls)), ("doh", OverHttps(server))]
        for way_name, way in ways:
            by_class(checks, way, way_name, CLASSES)
            if way_name != "udp":
                by_class(checks, way, way_name, [("thousands of EDNS options", thousands_of_options)])
            way.close()
        tcp_framing(checks, server)
        tcp_crowds(checks, server)
        threads = [threading.Thread(target=mutations, args=(checks, server, args.mutations, args.seed)),
                   threading.Thread(target=stream_mutations, args=(checks, server, 2000, args.seed))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        grown = rss_mib(pid) - before
        limit = RSS_GROWTH_MIB * (8 if is_sanitized(pid) else 1)
        checks.check(f"memory grew by less than {limit} MiB", grown < limit, f"{grown:.1f} MiB")
        checks.check("nothing was applied: there is no name that an UPDATE wanted",
                     wire.Reply(wire.ask_udp(server.port, query(f"evil.{Z}"))).rcode == NXDOMAIN)
        log_is_clean(checks, server)
        checks.check("it is still the same process", server.child.poll() is None and server.child.pid == pid)
    finally:
        checks.equal("SIGTERM ends it with exit code 0", server.stop(), 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=50000)
    parser.add_argument("--seed", type=int, default=8906)
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))

    def all_classes(checks, dir):
        everything(checks, dir, args)

    return e2e.play("packets", all_classes)


if __name__ == "__main__":
    sys.exit(main())
