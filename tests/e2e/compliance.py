#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The compliance lists that servers of DNS are measured by, with the real dig, over every transport.

The 33 tests of ISC's compliance report with its series of types, every line of RFC 8906, section 8, and what single
RFCs say of sizes, cookies, negative answers, ANY, aliases, SVCB, case. Prints one line per check and, last,
"N passed, N failed". Needs dig and kdig. PINTLED names the program: any build of it.
"""

import ctypes
import errno
import os
import pathlib
import re
import select
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import nameserver  # noqa: E402
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
from starved import starved_s  # noqa: E402
import transports  # noqa: E402
import wire  # noqa: E402

Z = transports.ZONE_NAME
SYS_PIDFD_GETFD, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT = 438, 10, 5
FORWARDER = "127.0.0.2"
KEY = "hmac-sha256:.:" + "A" * 43 + "="

# Test, arguments of dig before the zone and behind it, what is wanted: see Wanted.
ISC = [
    ("dns", "+noedns +noad +norec", "SOA", "soa"),
    ("aa", "+noedns +noad +norec +aaflag", "SOA", "soa"),
    ("ad", "+noedns +ad +norec", "SOA", "soa"),
    ("cd", "+noedns +noad +norec +cd", "SOA", "soa maybe-cd"),
    ("ra", "+noedns +noad +norec +raflag", "SOA", "soa"),
    ("rd", "+noedns +noad +rec", "SOA", "soa rd"),
    ("tc", "+noedns +noad +norec +tcflag", "SOA", "soa"),
    ("zflag", "+noedns +noad +norec +zflag", "SOA", "soa"),
    ("opcode", "+noedns +noad +norec +header-only +opcode=15", None, "notimp"),
    ("opcodeflg", "+noedns +header-only +opcode=15 +tcflag +rec +raflag +cd +ad +aaflag +zflag", None, "notimp"),
    ("type666", "+noedns +noad +norec", "TYPE666", "nodata"),
    ("edns", "+edns=0 +nocookie +noad +norec", "SOA", "soa edns"),
    ("edns1", "+edns=1 +noednsneg +nocookie +noad +norec", "SOA", "badvers edns"),
    ("edns@512", "+edns=0 +nocookie +noad +norec +dnssec +ignore +bufsize=512", "DNSKEY", "nodata edns do 512"),
    ("ednsopt", "+edns=0 +nocookie +noad +norec +ednsopt=100", "SOA", "soa edns no-option"),
    ("edns1opt", "+edns=1 +noednsneg +nocookie +noad +norec +ednsopt=100", "SOA", "badvers edns no-option"),
    ("do", "+edns=0 +nocookie +noad +norec +dnssec", "SOA", "soa edns do"),
    ("docd", "+edns=0 +nocookie +noad +norec +dnssec +cd", "SOA", "soa edns do maybe-cd"),
    ("edns1do", "+edns=1 +noednsneg +nocookie +noad +norec +dnssec", "SOA", "badvers edns do"),
    ("ednsflags", "+edns=0 +nocookie +noad +norec +ednsflags=0x0080", "SOA", "soa edns"),
    ("optlist", "+edns=0 +noad +norec +nsid +subnet=0.0.0.0/0 +expire +cookie=0102030405060708", "SOA",
     "soa edns cookie"),
    ("ednsnsid", "+edns=0 +nocookie +noad +norec +nsid", "SOA", "soa edns"),
    ("ednscookie", "+edns=0 +noad +norec +cookie=0102030405060708", "SOA", "soa edns cookie"),
    ("ednsexpire", "+edns=0 +nocookie +noad +norec +expire", "SOA", "soa edns"),
    ("ednssubnet", "+edns=0 +nocookie +noad +norec +subnet=0.0.0.0/0", "SOA", "soa edns"),
    ("edns1nsid", "+edns=1 +noednsneg +nocookie +noad +norec +nsid", "SOA", "badvers edns"),
    ("edns1cookie", "+edns=1 +noednsneg +noad +norec +cookie=0102030405060708", "SOA", "badvers edns"),
    ("edns1expire", "+edns=1 +noednsneg +nocookie +noad +norec +expire", "SOA", "badvers edns"),
    ("edns1subnet", "+edns=1 +noednsneg +nocookie +noad +norec +subnet=0.0.0.0/0", "SOA", "badvers edns"),
    ("bind11", "+edns=0 +cookie=0102030405060708 +noad +norec +dnssec", "SOA", "soa edns do cookie"),
    ("dig11", "+edns=0 +cookie=0102030405060708 +ad +rec", "SOA", "soa edns rd cookie"),
    ("dnswkk", f"+noedns +noad +norec -y {KEY}", "SOA", "badkey"),
]
# The two tests that are of one transport each.
ISC_TCP = [
    ("tcp", "+noedns +noad +norec +tcp", "SOA", "soa"),
    ("ednstcp", "+edns=0 +nocookie +noad +norec +dnssec +bufsize=512 +tcp", "DNSKEY", "nodata edns do"),
]
TYPES = """A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP NSAP-PTR SIG KEY PX
GPOS AAAA LOC NXT SRV NAPTR KX CERT A6 DNAME APL DS SSHFP IPSECKEY RRSIG NSEC DNSKEY DHCID NSEC3 NSEC3PARAM TLSA HIP CDS
CDNSKEY OPENPGPKEY SPF NID L32 L64 LP EUI48 EUI64 URI CAA AVC DLV TYPE65280 ANY""".split()
RFC8906 = [
    ("8.1.1 configured for the zone", "+noedns +noad +norec", "SOA", "soa"),
    ("8.1.2 unknown type", "+noedns +noad +norec", "TYPE1000", "nodata"),
    ("8.1.3.1 CD=1", "+noedns +noad +norec +cd", "SOA", "soa maybe-cd"),
    ("8.1.3.2 AD=1", "+noedns +norec +ad", "SOA", "soa"),
    ("8.1.3.3 Z=1", "+noedns +noad +norec +zflag", "SOA", "soa"),
    ("8.1.3.4 RD=1", "+noedns +noad +rec", "SOA", "soa rd"),
    ("8.1.4 unknown opcode", "+noedns +noad +norec +header-only +opcode=15", None, "notimp"),
    ("8.2.1 minimal EDNS", "+nocookie +edns=0 +noad +norec", "SOA", "soa edns"),
    ("8.2.2 version negotiation", "+nocookie +edns=1 +noednsneg +noad +norec", "SOA", "badvers edns"),
    ("8.2.3 unknown option", "+nocookie +edns=0 +noad +norec +ednsopt=100", "SOA", "soa edns no-option"),
    ("8.2.4 unknown flags", "+nocookie +edns=0 +noad +norec +ednsflags=0x40", "SOA", "soa edns"),
    ("8.2.5 version and flags", "+nocookie +edns=1 +noednsneg +noad +norec +ednsflags=0x40", "SOA", "badvers edns"),
    ("8.2.6 version and option", "+nocookie +edns=1 +noednsneg +noad +norec +ednsopt=100", "SOA",
     "badvers edns no-option"),
    ("8.2.7 truncation, DNSKEY", "+nocookie +edns=0 +noad +norec +dnssec +bufsize=512 +ignore", "DNSKEY",
     "nodata edns do 512"),
    ("8.2.8 DO=1", "+nocookie +edns=0 +noad +norec +dnssec", "SOA", "soa edns do"),
    ("8.2.9 version and DO", "+nocookie +edns=1 +noednsneg +noad +norec +dnssec", "SOA", "badvers edns do"),
    ("8.2.10 several known options", "+edns=0 +noad +norec +cookie=0102030405060708 +nsid +expire +subnet=0.0.0.0/0",
     "SOA", "soa edns cookie"),
]


class Seen(e2e.Answer):
    """What dig printed, in the words of the lists."""

    def __init__(self, text):
        super().__init__(text)
        opcode = re.search(r"opcode: (\w+)", text)
        counts = re.search(r"QUERY: (\d+), ANSWER: (\d+), AUTHORITY: (\d+), ADDITIONAL: (\d+)", text)
        edns = re.search(r"EDNS: version: (\d+), flags:([a-z ]*);(?: MBZ: 0x[0-9a-f]+,)? udp: (\d+)", text)
        size = re.search(r"MSG SIZE\s+rcvd: (\d+)", text)
        cookie = re.search(r"COOKIE: ([0-9a-f]+)", text)
        self.opcode = opcode.group(1) if opcode else None
        self.counts = [int(n) for n in counts.groups()] if counts else None
        self.edns = (int(edns.group(1)), edns.group(2).split(), int(edns.group(3))) if edns else None
        self.size = int(size.group(1)) if size else None
        self.cookie = cookie.group(1) if cookie else None


def faults(seen, wanted, is_udp):
    """What is wrong with an answer; an empty list is what everybody hopes for."""
    words = wanted.split()
    flags = {"qr"} | ({"rd"} if "rd" in words else set())
    status, answer, authority = "NOERROR", [], []
    if words[0] in ("soa", "nodata"):
        flags.add("aa")
        answer, authority = (["SOA"], None) if words[0] == "soa" else ([], ["SOA"])
    elif words[0] == "notimp":
        status = "NOTIMP"
    elif words[0] == "badvers":
        status = "BADVERS"
    elif words[0] == "badkey":
        status = "NOTAUTH"
    found = []

    def want(what, is_so):
        if not is_so:
            found.append(what)

    want(f"status {status}", seen.status == status)
    want(f"flags {sorted(flags)}", set(seen.flags) - ({"cd"} if "maybe-cd" in words else set()) == flags)
    want("no MBZ", "MBZ" not in seen.text)
    known = ("WARNING: recursion requested but not available", "WARNING -- Some TSIG could not be validated")
    want("no warning", not [line for line in seen.text.splitlines() if ("WARNING" in line or "malformed" in line)
                            and not any(text in line for text in known)])
    want(f"answer {answer}", [row[3] for row in seen.answer] == answer)
    want(f"authority {authority}", authority is None or [row[3] for row in seen.authority] == authority)
    want("EDNS iff asked", (seen.edns is not None) == ("edns" in words))
    if seen.edns:
        want("version 0", seen.edns[0] == 0)
        want("DO as asked", seen.edns[1] == (["do"] if "do" in words else []))
        want("we take 1232", seen.edns[2] == 1232)
    want("no option 100", "no-option" not in words or "OPT=100" not in seen.text)
    want("at most 512", "512" not in words or not is_udp or (seen.size or 9999) <= 512)
    if "cookie" in words:
        want("our cookie behind theirs",
             seen.cookie and seen.cookie.startswith("0102030405060708") and len(seen.cookie) == 48)
    if words[0] == "badkey":
        want("BADKEY", "BADKEY" in seen.text)
    if words[0] == "notimp":
        want("opcode 15, all empty", seen.opcode == "RESERVED15" and seen.counts == [0, 0, 0, 0])
    return found


def by_rows(checks, server, transport, title, rows):
    for test, args, rrtype, wanted in rows:
        text = transports.dig(server, transport, [*args.split(), *([Z, rrtype] if rrtype else [])])
        wrong = faults(Seen(text), wanted, transport == "udp")
        checks.check(f"{transport}: {title}: {test}", not wrong, f"wanted {', '.join(wrong)}; got {text}")


def batch(server, transport, lines):
    """What dig prints to many questions, by one process."""
    with tempfile.NamedTemporaryFile("w", suffix=".dig") as file:
        file.write("".join(line + "\n" for line in lines))
        file.flush()
        return transports.dig(server, transport, ["-f", file.name])


def types(checks, server, transport):
    options = " ".join(dict(transports.TRANSPORTS)[transport])
    text = batch(server, transport,
                 [f"{options} +noedns +noad +norec +ignore {Z} {rrtype}" for rrtype in TYPES])
    parts = re.split(r"(?m)^;; Got answer:", text)[1:]
    wrong = []
    for part in parts:
        seen = Seen(part)
        if seen.status != "NOERROR" or set(seen.flags) - {"tc"} != {"qr", "aa"} or seen.edns:
            wrong.append(seen.text)
    checks.check(f"{transport}: ISC: all {len(TYPES)} types have an answer", len(parts) == len(TYPES) and not wrong,
                 f"{len(parts)} answers\n" + "\n".join(wrong))


def general(checks, server, transport):
    """RFC 8906: a server always answers."""
    lines = [f"{args} {Z} {rrtype}" for _, args, rrtype, _ in RFC8906 if rrtype]
    options = " ".join(dict(transports.TRANSPORTS)[transport])
    n = 1000 if transport in ("udp", "tcp") else 50
    text = batch(server, transport, [f"{options} {lines[i % len(lines)]}" for i in range(n)])
    checks.equal(f"{transport}: RFC 8906: {n} questions, {n} answers", text.count("->>HEADER<<-"), n)


def also(checks, server, transport):
    """Rules beside the lists."""
    def ask(*args):
        return Seen(transports.dig(server, transport, args))
    chaos = ask("+norec", Z, "TXT", "CH")
    checks.check(f"{transport}: class CH is REFUSED, without an answer",
                 chaos.status == "REFUSED" and not chaos.answer, chaos.text)
    strange = ask("+norec", Z, "SOA", "CLASS77")
    checks.check(f"{transport}: an unknown class is REFUSED", strange.status == "REFUSED", strange.text)
    foreign = ask("+rec", "www.example.org", "A")
    checks.check(f"{transport}: a name that is not ours is REFUSED, no aa, no ra",
                 foreign.status == "REFUSED" and set(foreign.flags) == {"qr", "rd"}, foreign.text)
    transfer = ask("+norec", Z, "AXFR") if transport != "udp" else ask("+norec", Z, "TYPE252")
    checks.check(f"{transport}: transfers are refused", "Transfer failed" in transfer.text
                 or transfer.status in ("REFUSED", "NOTIMP"), transfer.text)
    checks.equal(f"{transport}: and the next question is answered", ask(Z, "SOA").status, "NOERROR")
    big = ask("+noedns", "+ignore", f"big.{Z}", "TXT")
    if transport == "udp":
        checks.check("udp: without EDNS a large RRset has TC and at most 512 octets",
                     "tc" in big.flags and big.size <= 512, big.text)
    else:
        checks.check(f"{transport}: a large RRset comes whole", "tc" not in big.flags and len(big.answer) == 25, big.text)
    mixed = ask(f"wWw.{Z.upper()}", "A")
    checks.check(f"{transport}: A23: the letters' case is copied",
                 mixed.answer and mixed.answer[0][0] == f"wWw.{Z.upper()}." and f";wWw.{Z.upper()}." in mixed.text,
                 mixed.text)
    any_ = ask("+bufsize=1232", "+ignore", Z, "ANY")
    checks.check(f"{transport}: A13: ANY is minimal",
                 any_.status == "NOERROR" and any_.size <= 512 and len({row[3] for row in any_.answer}) == 1, any_.text)
    low = ask("+expire", "+nocookie", Z, "SOA")
    checks.check(f"{transport}: EXPIRE is the SOA's", "EXPIRE: 86400" in low.text, low.text)


# --- RFC by RFC -----------------------------------------------------------------------------------


def udp_options(pid):
    """IP_MTU_DISCOVER of each UDP socket of a process of ours."""
    libc, pidfd = ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid)
    for entry in sorted(pathlib.Path(f"/proc/{pid}/fd").iterdir()):
        try:
            if not os.readlink(entry).startswith("socket:"):
                continue
        except FileNotFoundError:  # a stream that was closed since the list was read
            continue
        fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(entry.name), 0)
        if fd < 0:
            if ctypes.get_errno() == errno.EBADF:  # likewise
                continue
            raise OSError(ctypes.get_errno(), f"pidfd_getfd of {entry}")
        with socket.socket(fileno=fd) as sock:
            if sock.family == socket.AF_INET and sock.type == socket.SOCK_DGRAM and sock.getsockname()[1]:
                yield sock.getsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER)
    os.close(pidfd)


def sizes(checks, server):
    """A1 and A2: how large an answer over UDP gets."""
    for size in (0, 511):
        reply = wire.Reply(wire.ask_udp(server.port, wire.query(f"big.{Z}", wire.TXT, edns=wire.opt(size=size))))
        checks.check(f"A1: payload size {size} is 512", reply.tc and len(reply.data) <= 512 and reply.rcode == 0, reply)
    seen = Seen(transports.dig(server, "udp", ["+bufsize=4096", "+ignore", f"big.{Z}", "TXT"]))
    checks.check("A2: 4096 is 1232, and so is ours",
                 "tc" in seen.flags and seen.size <= 1232 and seen.edns[2] == 1232, seen.text)
    checks.equal("A2: path MTU discovery does not shape answers: IP_PMTUDISC_OMIT on every UDP socket",
                 set(udp_options(server.child.pid)), {IP_PMTUDISC_OMIT})


def streams(checks, server, name, wrap):
    """A3: RFC 7766 over a stream."""
    port = server.ports[name]
    with wire.Stream(port, wrap) as stream:
        stream.raw(b"".join(len(q).to_bytes(2, "big") + q for q in
                            (wire.query(f"www.{Z}", ident=i) for i in range(100))))
        idents = {wire.Reply(data).ident for data in (stream.receive() for _ in range(100)) if data}
        checks.equal(f"A3 {name}: 100 questions at once have 100 answers", idents, set(range(100)))
    with wire.Stream(port, wrap) as stream:
        query = wire.query(f"www.{Z}")
        for octet in len(query).to_bytes(2, "big") + query:
            stream.raw(bytes([octet]))
        checks.check(f"A3 {name}: one octet at a time is answered", stream.receive() is not None)
        stream.raw(b"\0")
        time.sleep(0.05)
        stream.raw(bytes([len(query)]) + query)
        checks.check(f"A3 {name}: a length in two pieces is answered", stream.receive() is not None)
        refused = stream.ask(wire.query(Z, wire.AXFR))
        checks.check(f"A3 {name}: AXFR is refused", refused and wire.Reply(refused).rcode == wire.REFUSED)
        checks.check(f"A3 {name}: and the next question is answered", stream.ask(query) is not None)
    if wrap is None:
        with wire.Stream(port) as stream:
            stream.send(query)
            stream.sock.shutdown(socket.SHUT_WR)
            checks.check("A3 tcp: who has said all still gets the answer", stream.receive() is not None)


def keepalive(checks, server):
    """A4: RFC 7828."""
    text = transports.dig(server, "tcp", ["+keepalive", Z, "SOA"])
    told = re.search(r"TCP[ -]KEEPALIVE: ([0-9.]+) secs", text, re.I)
    checks.check("A4: keepalive over TCP tells how long idle streams live", told and float(told.group(1)) > 0, text)
    text = transports.dig(server, "udp", ["+keepalive", Z, "SOA"])
    checks.check("A4: over UDP it is ignored", "NOERROR" in text and "secs" not in text, text)
    if told:
        with wire.Stream(server.port, timeout_s=float(told.group(1)) + 10) as stream:
            start = time.monotonic()
            is_closed = stream.receive() is None
            took_s, late_s = time.monotonic() - start, starved_s(start)
            checks.check("A4: an idle stream is closed at that time, not before and soon after",
                         is_closed and -1 <= took_s - float(told.group(1)) <= 4 + late_s, took_s)


def padding(checks, server):
    """A6: RFC 8467, with kdig because dig cannot ask for it over TLS in the same way."""
    def kdig(port, *args):
        return subprocess.run(["kdig", "@127.0.0.1", "-p", str(port), *args, Z, "SOA"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False).stdout

    def size(text):
        found = re.search(r"Received (\d+) B", text)
        return int(found.group(1)) if found else None
    padded = kdig(server.ports["dot"], "+tls", "+padding=128")
    checks.check("A6: over TLS a padded question has an answer of 468 octets",
                 size(padded) is not None and size(padded) % 468 == 0, padded)
    padded = kdig(server.ports["doh"], "+https", "+padding=128")
    checks.check("A6: over HTTPS as well", size(padded) is not None and size(padded) % 468 == 0, padded)
    plain = kdig(server.ports["dot"], "+tls", "+nopadding", "+edns")
    checks.check("A6: one that was not padded is not", size(plain) is not None and size(plain) % 468, plain)
    udp = kdig(server.port, "+padding=128")
    checks.check("A6: nothing is padded over UDP", size(udp) is not None and size(udp) % 468, udp)


def cookies(checks, server):
    """A10: RFC 7873."""
    for length in (1, 7, 9, 12, 15, 41):
        bad = wire.query(Z, wire.SOA, edns=wire.opt(wire.option(wire.COOKIE, b"c" * length)))
        reply = wire.Reply(wire.ask_udp(server.port, bad))
        checks.equal(f"A10: a cookie of {length} octets is FORMERR", reply.rcode, wire.FORMERR)
    alone = wire.message(wire.opt(wire.option(wire.COOKIE, b"12345678")), counts=(0, 0, 0, 1))
    reply = wire.Reply(wire.ask_udp(server.port, alone))
    first = reply.option(wire.COOKIE)
    checks.check("A10: a cookie without a question is answered with the server's",
                 reply.rcode == 0 and first and first[:8] == b"12345678" and len(first) == 24, reply)
    again = wire.query(Z, wire.SOA, edns=wire.opt(wire.option(wire.COOKIE, first or b"")))
    reply = wire.Reply(wire.ask_udp(server.port, again))
    checks.equal("A9: a young cookie is given back as it is", reply.option(wire.COOKIE), first)
    forged = (first or b"?" * 24)[:-1] + b"?"
    reply = wire.Reply(wire.ask_udp(
        server.port, wire.query(Z, wire.SOA, edns=wire.opt(wire.option(wire.COOKIE, forged)))))
    checks.check("a wrong server's cookie has an answer and a new cookie",
                 reply.rcode in (0, wire.BADCOOKIE) and len(reply.option(wire.COOKIE)) == 24, reply)


def answers(checks, server):
    """A11, A12, A17, A21, A23: what names and types there are."""
    def ask(*args):
        return Seen(transports.dig(server, "udp", args))
    for what, seen, status in (("A11: NODATA", ask(f"www.{Z}", "TXT"), "NOERROR"),
                               ("A11: NXDOMAIN", ask(f"nope.{Z}", "A"), "NXDOMAIN")):
        checks.check(f"{what} has the SOA with the smaller of TTL and MINIMUM",
                     seen.status == status and seen.has_soa and seen.authority[0][1] == "60", seen.text)
    ent = ask(f"b.ent.{Z}", "A")
    checks.check("A12: an empty non-terminal is NODATA", ent.status == "NOERROR" and not ent.answer, ent.text)
    svc = ask(f"svc.{Z}", "SVCB")
    checks.check("A17: SVCB parameters are sorted, mandatory does not name itself",
                 svc.data and re.search(r"mandatory=alpn alpn=\"?dot\"? port=53", svc.data[0]), svc.text)
    checks.check("A17: the target's addresses come along", "192.0.2.4" in svc.text and "2001:db8::4" in svc.text,
                 svc.text)
    generic = ask(f"svc.{Z}", "TYPE64")
    checks.equal("A17: TYPE64 is SVCB", generic.data, svc.data)
    alias = ask(f"svcalias.{Z}", "SVCB")
    checks.check("A17: the alias form has no parameters", alias.data == [f"0 target.{Z}."], alias.text)
    checks.check("A17: HTTPS at the apex", ask(Z, "HTTPS").data[:1] and "port=8443" in ask(Z, "HTTPS").data[0])
    outside = ask("www.example.com", "A")
    checks.check("A21: who may not recurse is REFUSED, EDE says why, no ra",
                 outside.status == "REFUSED" and outside.ede in (18, 20) and "ra" not in outside.flags, outside.text)
    chain = ask(f"alias.{Z}", "A")
    checks.check("A23: an alias and its target in one answer",
                 [row[3] for row in chain.answer] == ["CNAME", "A"] and chain.data[1] == "192.0.2.1", chain.text)
    wild = ask(f"foo.wild.{Z}", "TXT")
    checks.check("A23: a wildcard stands for what is missing", wild.data == ['"wild"'], wild.text)
    ent = ask(f"y.wild.{Z}", "TXT")
    checks.check("A23: not for an empty non-terminal", ent.status == "NOERROR" and not ent.answer, ent.text)
    mixed = wire.query(wire.name("wWW.T.eXaMpLe"), wire.A, ident=7)
    checks.check("A23: 0x20 is copied byte for byte", wire.ask_udp(server.port, mixed)[12:12 + 19] == mixed[12:12 + 19])


def subnets(checks, server):
    """RFC 7871, section 6: who is trusted to say who asks is told when that cannot be read."""
    def ask(subnet, source):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((source, 0))
            edns = wire.opt(wire.option(wire.ECS, bytes.fromhex(subnet)))
            return wire.Reply(wire.ask_udp(server.port, wire.query(f"www.{Z}", edns=edns), sock=sock))
    for what, subnet in (("shorter than its bits", "00011800c000"), ("longer than its bits", "00011800c0000201"),
                         ("with bits set behind", "00011700c00003"), ("of 33 bits", "000121000102030480"),
                         ("with a scope", "00011818c00002"), ("of no known family", "0003080001"),
                         ("without an address", "0001")):
        forwarder, other = ask(subnet, FORWARDER), ask(subnet, "127.0.0.1")
        checks.check(f"ECS {what}: FORMERR for a trusted forwarder", forwarder.rcode == wire.FORMERR
                     and not forwarder.aa and forwarder.counts[1] == 0 and forwarder.edns_size == 1232, forwarder)
        checks.check(f"ECS {what}: nothing to others", other.rcode == 0 and other.counts[1] == 1
                     and other.option(wire.ECS) is None, other)
    for subnet in ("00011800c00002", "00010000", "00000000"):
        for source in (FORWARDER, "127.0.0.1"):
            reply = ask(subnet, source)
            checks.check(f"ECS {subnet} is answered to {source}", reply.rcode == 0
                         and reply.option(wire.ECS) == bytes.fromhex(subnet), reply)


def chaos(checks, dir):
    """What the server tells of itself when it is told to."""
    server = transports.Server(dir, "named", "dns: {identity: ns-7, version: one}\ncookies: {required: true}\n")
    try:
        for name, text in (("version.bind", "one"), ("version.server", "one"), ("id.server", "ns-7"),
                           ("hostname.bind", "ns-7")):
            seen = Seen(transports.dig(server, "udp", [name, "TXT", "CH"]))
            checks.equal(f"CHAOS {name}", seen.data, [f'"{text}"'])
        nsid = transports.dig(server, "udp", ["+nsid", Z, "SOA"])
        checks.check("NSID is the identity", '("ns-7")' in nsid, nsid)
        first = Seen(transports.dig(server, "udp", ["+cookie=0102030405060708", "+nobadcookie", Z, "SOA"]))
        checks.check("cookies.required: a client's cookie alone is BADCOOKIE",
                     first.status == "BADCOOKIE" and first.cookie and not first.answer, first.text)
        second = Seen(transports.dig(server, "udp", [f"+cookie={first.cookie}", Z, "SOA"]))
        checks.check("cookies.required: with the server's it is answered",
                     second.status == "NOERROR" and second.answer, second.text)
        tcp = Seen(transports.dig(server, "tcp", ["+cookie=0102030405060708", Z, "SOA"]))
        checks.equal("cookies.required: over TCP nobody needs it", tcp.status, "NOERROR")
    finally:
        server.stop()


def cookie_file(checks, dir):
    """A fleet's secret changes while its cookies are in use."""
    def put(secret):
        (dir / "new").write_text(secret + "\n")
        os.chmod(dir / "new", 0o600)
        os.rename(dir / "new", dir / "cookies.txt")

    def ask(cookie):
        return Seen(transports.dig(server, "udp", [f"+cookie={cookie}", "+nobadcookie", Z, "SOA"]))

    put("e5e973e5a6b2a43f48e7dc849e37bfcf")
    server = transports.Server(dir, "fleet", "cookies: {required: true, secretFile: cookies.txt}\n")
    try:
        first = ask("0102030405060708").cookie
        put("dd3bdf9344b678b185a6f5cb60fca715")
        checks.becomes("cookies.secretFile is read when it changes",
                       lambda: "cookies: new secret" in server.log_text(), bool, 4)
        second = ask(first)
        checks.check("a cookie of the secret before is good, and written anew",
                     second.status == "NOERROR" and second.cookie != first, second.text)
        checks.equal("and the new one is good", ask(second.cookie).status, "NOERROR")
        put("none")
        checks.becomes("a broken file is told", lambda: "the secret read before is used on" in server.log_text(), bool, 4)
        checks.equal("and changes nothing", ask(second.cookie).status, "NOERROR")
    finally:
        server.stop()


def rate_limit(checks, dir):
    """RRL1 in short: a network that asks too much, beside cookies and TCP."""
    server = transports.Server(
        dir, "limited", "rateLimit: {responsesPerSecond: 20, exempt: []}\nworkers: 1\n")
    query = wire.query(f"www.{Z}")
    try:
        whole = slipped = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(200):
                data = wire.ask_udp(server.port, query, 0.02, sock)
                whole += bool(data) and not wire.Reply(data).tc
                slipped += bool(data) and wire.Reply(data).tc and wire.Reply(data).counts[1] == 0
            checks.check("RRL1: answers are limited, every second one slips with TC",
                         20 <= whole <= 150 and 5 <= slipped <= 100, (whole, slipped))
            head = wire.opt(wire.option(wire.COOKIE, b"12345678"))
            with wire.Stream(server.port) as stream:
                cookie = wire.Reply(stream.ask(wire.query(Z, wire.SOA, edns=head))).option(wire.COOKIE)
                n = sum(stream.ask(query) is not None for _ in range(200))
            checks.equal("RRL1: TCP is not limited", n, 200)
            good = wire.query(f"www.{Z}", edns=wire.opt(wire.option(wire.COOKIE, cookie)))
            n = sum(bool(d) and not wire.Reply(d).tc for d in (wire.ask_udp(server.port, good, 1, sock)
                                                               for _ in range(200)))
            checks.equal("RRL1: who shows a good cookie is not limited", n, 200)
        text = server.get("/metrics")[1]
        checks.check("RRL1: metrics count both", re.search(r'event="rate_dropped"\} [1-9]', text)
                     and re.search(r'event="rate_slipped"\} [1-9]', text), text[-500:])
    finally:
        server.stop()


def rate_limit_of_threads(checks, dir):
    """A network that asks from many ports, which the kernel spreads over two workers."""
    server = transports.Server(
        dir, "shared", "rateLimit: {responsesPerSecond: 20, slip: 0, exempt: []}\nworkers: 2\n")
    query = wire.query(f"www.{Z}")
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(40)]
    try:
        start = time.monotonic()
        for sock in socks:
            sock.connect(("127.0.0.1", server.port))
            for _ in range(10):
                sock.send(query)
        n, ready = 0, socks
        while ready:
            ready = select.select(socks, [], [], 0.3)[0]
            n += sum(bool(sock.recv(4096)) for sock in ready)
        took = time.monotonic() - start
        checks.check("RRL1: two workers give a network no more than one", 20 <= n <= 20 * (1 + took) + 1, (n, took))
        text = server.get("/metrics")[1]
        found = re.search(r'event="rate_dropped"\} (\d+)', text)
        checks.check("RRL1: and drop the rest", found and int(found.group(1)) == 400 - n, found and found.group(1))
    finally:
        server.stop()
        for sock in socks:
            sock.close()


class SlowServer(nameserver.NameServer):
    """Answers all questions about one name while they are still coming in."""

    def answer(self, question):
        time.sleep(0.1)
        return super().answer(question)


def rate_limit_of_late_answers(checks, dir):
    """Answers of a resolver that was asked first count like all others."""
    upstream = SlowServer()
    upstream.names["w.late.test"] = ["192.0.2.9"]
    server = transports.Server(
        dir, "late", "rateLimit: {responsesPerSecond: 20, slip: 0, exempt: []}\n"
        f'forward: [{{zone: late.test, to: ["127.0.0.1:{upstream.port}"]}}]\n')
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            start = time.monotonic()
            sock.connect(("127.0.0.1", server.port))
            for _ in range(60):
                sock.send(wire.query("w.late.test", flags=0x100))
            n, took, rcodes = 0, 0, []
            while select.select([sock], [], [], 2)[0]:
                rcodes.append(wire.Reply(sock.recv(4096)).rcode)
                n, took = n + 1, time.monotonic() - start
        checks.check("RRL1: late answers are limited as others are", 20 <= n <= 20 * (1 + took) + 1 and set(rcodes) == {0},
                     (n, took, rcodes))
    finally:
        server.stop()
        upstream.stop()


def lists(checks, dir):
    server = transports.Server(dir, "plain", f"streams: {{idleTimeout: 2s}}\ntrustedForwarders: [{FORWARDER}]\n")
    try:
        for transport in server.ports:
            by_rows(checks, server, transport, "ISC", ISC)
            types(checks, server, transport)
            by_rows(checks, server, transport, "RFC 8906", RFC8906)
            general(checks, server, transport)
            also(checks, server, transport)
        by_rows(checks, server, "tcp", "ISC", ISC_TCP)
        by_rows(checks, server, "tcp", "RFC 8906", [("8.1.5 TCP", "+noedns +noad +norec +tcp", "SOA", "soa")])
        big = Seen(transports.dig(server, "udp", "+nocookie +edns=0 +noad +norec +dnssec +bufsize=512 +ignore".split()
                                  + [f"big.{Z}", "TXT"]))
        checks.check("udp: RFC 8906: 8.2.7 truncation: the OPT stays",
                     "tc" in big.flags and big.edns and big.size <= 512, big.text)
        sizes(checks, server)
        streams(checks, server, "tcp", None)
        streams(checks, server, "dot", server.wrap_tls)
        padding(checks, server)
        cookies(checks, server)
        answers(checks, server)
        subnets(checks, server)
        keepalive(checks, server)
    finally:
        checks.equal("SIGTERM ends it with exit code 0", server.stop(), 0)


if __name__ == "__main__":
    sys.exit(e2e.play("compliance", lists, chaos, cookie_file, rate_limit, rate_limit_of_threads, rate_limit_of_late_answers))
