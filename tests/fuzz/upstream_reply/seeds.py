#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the upstream_reply target beside it, one file per shape of a message."""

import os
import struct

SEEDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seeds")
DO, EDNS, ANY_CASE, FIXED, BELIEVES = 1, 2, 4, 8, 16
Q = b"\xc0\x0c"


def name(text):
    """A name in wire format; "" is the root."""
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def rr(owner, rtype, rdata, ttl=60, rclass=1):
    """One record; the owner is bytes."""
    return owner + struct.pack(">HHIH", rtype, rclass, ttl, len(rdata)) + rdata


def soa(owner, minimum=60):
    """An SOA record."""
    return rr(owner, 6, name("ns") + name("who") + struct.pack(">IIIII", 1, 2, 3, 4, minimum), 300)


def rrsig(owner, covers, signer):
    """A signature of some bytes."""
    return rr(owner, 46, struct.pack(">HBBIIIH", covers, 13, 2, 60, 2, 1, 7) + name(signer) + b"sig")


def opt(version=0, rcode=0, options=b""):
    """An OPT record."""
    return b"\0" + struct.pack(">HHBBHH", 41, 1232, rcode, version, 0, len(options)) + options


def reply(how=0, qname="www.example.com", qtype=1, flags=0x8180, sections=((), (), ()), counts=None):
    """A message; each section is a list of records."""
    counts = counts or tuple(len(section) for section in sections)
    return (bytes([how]) + struct.pack(">HHHHHH", 0x1234, flags, 1, *counts) + name(qname)
            + struct.pack(">HH", qtype, 1) + b"".join(b"".join(section) for section in sections))


def a(owner=Q, last=1, ttl=60):
    """An address."""
    return rr(owner, 1, bytes([192, 0, 2, last]), ttl)


def seeds():
    """File name -> bytes."""
    target = 12 + 17 + 4 + 12  # of the first record's RDATA
    to_target = struct.pack(">H", 0xC000 | target)
    cname = rr(Q, 5, name("a.test"))
    chain = [rr(name(f"n{i}.test") if i else Q, 5, name(f"n{i + 1}.test")) for i in range(18)]
    proof = [soa(name("example.com")), rrsig(name("example.com"), 6, "example.com"),
             rr(name("a.example.com"), 47, name("z.example.com") + b"\0\1\x40"),
             rrsig(name("a.example.com"), 47, "example.com")]
    bomb = [rr(Q, 2, name("a." * 100)[:-1] + Q if i == 0 else to_target) for i in range(200)]
    return {
        "a": reply(sections=([a()], (), ())),
        "a-twice": reply(sections=([a(), a(), a(Q, 2)], (), ())),
        "aaaa": reply(qtype=28, sections=([rr(Q, 28, bytes(16))], (), ())),
        "any": reply(qtype=255, sections=([a(), rr(Q, 16, b"\1x"), rr(Q, 13, b"\1a\1b")], (), ())),
        "bad-rdlength": reply(sections=([rr(Q, 1, b"\1\2\3")], (), ())),
        "bare-formerr": bytes([EDNS | FIXED]) + struct.pack(">HHHHHH", 0x1234, 0x8181, 0, 0, 0, 0),
        "bomb": reply(qtype=2, sections=(bomb, (), ())),
        "chain": reply(sections=([cname, a(to_target)], (), ())),
        "chain-believed": reply(BELIEVES, sections=([cname, a(to_target)], (), ())),
        "chain-long": reply(sections=(chain, (), ())),
        "chain-loop": reply(sections=([cname, rr(to_target, 5, Q)], (), ())),
        "chain-nodata": reply(sections=([cname], [soa(name("test"))], ())),
        "count-lie": reply(sections=([a()], (), ()), counts=(9, 0, 0)),
        "dname": reply(DO | EDNS, sections=([
            rr(name("example.com"), 39, name("example.net")),
            rrsig(name("example.com"), 39, "example.com"),
            rr(Q, 5, name("www.example.net")), a(name("www.example.net"))], (), ())),
        "dname-com": reply(sections=([rr(name("com"), 39, name("evil")), a()], (), ())),
        "do": reply(DO | EDNS, sections=([a(), rrsig(Q, 1, "example.com")], proof[2:], [opt()])),
        "ede": reply(EDNS, sections=([a()], (), [opt(options=b"\0\x0f\0\4\0\6oh")])),
        "fixed": reply(FIXED, sections=([a()], (), ())),
        "formerr": reply(EDNS, flags=0x8181),
        "https": reply(qtype=65, sections=([
            rr(Q, 65, b"\0\1\0\0\1\0\3\2h2\0\3\0\2\1\xbb")], (), ())),
        "loop-pointer": reply(sections=([rr(struct.pack(">H", 0xC021), 1, b"\1\2\3\4")], (), ())),
        "mx": reply(qtype=15, sections=([rr(Q, 15, b"\0\x0a\2mx" + Q)], (), ())),
        "naptr": reply(qtype=35, sections=([rr(Q, 35, b"\0\1\0\1\1s\1x\0" + Q)], (), ())),
        "ns": reply(qtype=2, sections=([rr(Q, 2, b"\2ns" + Q), rr(Q, 2, b"\3ns2" + Q)], (), ())),
        "nxdomain": reply(flags=0x8183, sections=((), [soa(struct.pack(">H", 0xC010))], ())),
        "nxdomain-do": reply(DO | EDNS, flags=0x8183, sections=((), proof, [opt()])),
        "ptr": reply(qtype=12, sections=([rr(Q, 12, name("host.test"))], (), ())),
        "referral": reply(sections=((), [rr(name("example.com"), 2, name("ns.test"))], ())),
        "root": reply(qname="", qtype=2, sections=([rr(b"\0", 2, name("a.root"))], (), ())),
        "servfail": reply(flags=0x8182, sections=((), (), [opt(options=b"\0\x0f\0\2\0\x16")])),
        "soa": reply(qname="example.com", qtype=6, sections=([soa(Q)], (), ())),
        "srv": reply(qtype=33, sections=([rr(Q, 33, bytes(6) + name("x.test"))], (), [a()])),
        "tc": reply(flags=0x8380),
        "txt": reply(qtype=16, sections=([rr(Q, 16, b"\5hello\0")], (), ())),
        "unknown": reply(qtype=999, sections=([rr(Q, 999, b"\xc0\x0c\0")], (), ())),
    }


def main():
    """Writes all of them anew."""
    os.makedirs(SEEDS, exist_ok=True)
    for old in os.listdir(SEEDS):
        os.remove(os.path.join(SEEDS, old))
    for key, value in seeds().items():
        with open(os.path.join(SEEDS, key), "wb") as file:
            file.write(value)


if __name__ == "__main__":
    main()
