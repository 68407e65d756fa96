#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the query target beside it, one file per shape of a message."""

import os
import struct

FRESH, ENDING, OVER, GONE = range(4)  # what 60 seconds are by then
NO_BACK, STALE, FAILURE, OFF, ANSWER = 4, 8, 16, 32, 64
SEEDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seeds")


def name(text):
    """A name in wire format; "" is the root."""
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def opt(size=1232, version=0, flags=0, options=b""):
    """An OPT record."""
    return b"\0" + struct.pack(">HHBBHH", 41, size, 0, version, flags, len(options)) + options


def option(code, data=b""):
    """One EDNS option."""
    return struct.pack(">HH", code, len(data)) + data


def query(qname, qtype, qclass=1, flags=0x0100, extra=b"", counts=(1, 0, 0, None), knobs=OFF | FAILURE | NO_BACK):
    """A message with one question; the last count follows from `extra` unless given."""
    n_additional = counts[3] if counts[3] is not None else int(bool(extra))
    header = struct.pack(">HHHHHH", 0x1200 | knobs, flags, *counts[:3], n_additional)
    return header + name(qname) + struct.pack(">HH", qtype, qclass) + extra


def forwarded():
    """Seeds of what is forwarded: the asker may when the length is 4n or 4n+1."""
    names = {
        "www": ("www.cached.test", 1), "trusted": ("www.trusted.test", 1), "zero": ("zero.cached.test", 1),
        "alias": ("alias.cached.test", 1), "open": ("open.cached.test", 1), "lost": ("lost.cached.test", 1),
        "home": ("home.cached.test", 1), "ping": ("ping.cached.test", 1), "far": ("far.t.example", 1),
        "nx": ("nx.cached.test", 1), "below-nx": ("a.b.nx.cached.test", 28), "nodata": ("nodata.cached.test", 28),
        "mx": ("MX.cached.test", 15), "ede": ("ede.cached.test", 1), "failed": ("failed.test", 1),
        "miss": ("miss.test", 1), "miss-txt": ("miss.test", 16), "big": ("big.cached.test", 16),
        "any": ("www.cached.test", 255), "meta": ("www.cached.test", 249), "nobody": ("example.com", 1),
    }
    knobs = {"fresh": FRESH, "ending": ENDING, "over": OVER, "over-slow": OVER | STALE, "gone": GONE,
             "over-failing": OVER | FAILURE, "over-back": OVER | NO_BACK, "gone-answer": GONE | ANSWER,
             "gone-failing": GONE | FAILURE}
    files = {}
    for key, (qname, qtype) in names.items():
        for when, knob in knobs.items():
            files[f"{key}-{when}"] = may_ask(qname, qtype, knob)
    files["www-do"] = may_ask("www.cached.test", 1, FRESH, flags=0x8000)
    files["www-cd"] = may_ask("www.cached.test", 1, FRESH, bits=0x0110)
    files["trusted-ad"] = may_ask("www.trusted.test", 1, FRESH, bits=0x0120)
    files["www-no-rd"] = may_ask("www.cached.test", 1, FRESH, bits=0)
    files["miss-no-rd"] = may_ask("miss.test", 1, GONE, bits=0)
    files["lost-no-rd"] = may_ask("lost.cached.test", 1, FRESH, bits=0)
    files["miss-long"] = may_ask(".".join(["a" * 63] * 3 + ["b" * 56, "test"]), 16, GONE | ANSWER)
    files["may-not"] = query("www.cached.test", 1, extra=opt(options=option(100, b"x" * 2)), knobs=FRESH)
    return files


def may_ask(qname, qtype, knobs, bits=0x0100, flags=0):
    """A question of somebody who may ask: with padding where the length would not do."""
    for n in range(4):
        data = query(qname, qtype, flags=bits, extra=opt(flags=flags, options=option(100, b"x" * n)), knobs=knobs)
        if len(data) % 4 < 2:
            return data
    raise ValueError(qname)


def seeds():
    """File name -> bytes."""
    cookie = option(10, b"12345678")
    every = (option(3) + option(8, b"\0\1\x18\0\xc0\0\2") + cookie + option(65518, b"shop")
             + option(100, b"xy"))
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + b"\1\2\3\4"
    rdata = b"\0\xc0\x0c" + struct.pack(">5I", 7, 1, 2, 3, 4)
    soa = b"\xc0\x0c" + struct.pack(">HHIH", 6, 1, 0, len(rdata)) + rdata
    return {
        "a": query("www.t.example", 1),
        "aaaa-edns": query("four.t.example", 28, extra=opt()),
        "any-apex": query("t.example", 255, extra=opt()),
        "axfr": query("t.example", 252),
        "badvers": query("t.example", 6, extra=opt(version=1)),
        "big-txt": query("big.t.example", 16),
        "case": query("WwW.t.ExAmPlE", 1),
        "ch-txt": query("version.bind", 16, 3),
        "cname-chain": query("alias.t.example", 1, extra=opt(flags=0x8000)),
        "cname-loop": query("loop.t.example", 1),
        "drawn": query("split.t.example", 1),
        "ecs-and-more": query("local.t.example", 1, extra=opt(options=every)),
        "empty": b"",
        "ent": query("b.ent.t.example", 1),
        "extra-records": query("www.t.example", 1, extra=record + opt(), counts=(1, 1, 0, 1)),
        "foreign": query("www.example.com", 1, extra=opt()),
        "header": query("", 0)[:12],
        "ixfr": query("t.example", 251, extra=soa, counts=(1, 0, 1, 0)),
        "ixfr-cut-soa": query("t.example", 251, extra=soa[:11] + b"\x0a" + soa[12:22], counts=(1, 0, 1, 0)),
        "ixfr-no-soa": query("t.example", 251, extra=record, counts=(1, 0, 1, 0)),
        "lying-counts": query("www.t.example", 1, counts=(1, 65535, 65535, 65535)),
        "long-name": query(".".join(["a" * 63] * 3 + ["b" * 61]), 1),
        "many-labels": query(".".join("a" * 127), 1),
        "notify": query("t.example", 6, flags=0x2400),
        "nxdomain": query("nope.t.example", 1, extra=opt(512)),
        "pointer-loop": query("", 1)[:12] + b"\xc0\x0c\0\1\0\1",
        "response": query("t.example", 6, flags=0x8500),
        "root-ns": query("", 2),
        "srv": query("srv.t.example", 33, extra=opt(1232)),
        "srv-1000": query("srvs.t.example", 33),
        "synced-nodata": query("x.svc.test", 28, extra=opt()),
        "synced-nxdomain": query("nope.svc.test", 1, extra=opt()),
        "tsig": query("t.example", 6, extra=name("key") + struct.pack(">HHIH", 250, 255, 0, 0)),
        "two-opts": query("t.example", 6, extra=opt() + opt(), counts=(1, 0, 0, 2)),
        "update": query("t.example", 6, flags=0x2800),
        "whole": query("whole.t.example", 1, extra=opt(4096)),
        "wildcard": query("a.b.wild.t.example", 16),
    }


if __name__ == "__main__":
    os.makedirs(SEEDS, exist_ok=True)
    for file_name, data in {**seeds(), **{f"forward-{key}": data for key, data in forwarded().items()}}.items():
        with open(os.path.join(SEEDS, file_name), "wb") as file:
            file.write(data)
