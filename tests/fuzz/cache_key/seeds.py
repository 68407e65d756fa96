#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the cache_key target beside it: pairs of queries."""

import os
import struct

SEEDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seeds")


def query(labels, qtype=1, qclass=1, flags=0x0100, edns_flags=None):
    """A question; labels are bytes."""
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    opt = b"" if edns_flags is None else b"\0" + struct.pack(">HHIH", 41, 1232, edns_flags, 0)
    return (struct.pack(">HHHHHH", 0x1234, flags, 1, 0, 0, int(bool(opt))) + name
            + struct.pack(">HH", qtype, qclass) + opt)


def seeds():
    """File name -> the two queries."""
    www = [b"www", b"example"]
    return {
        "same": (query(www), query(www)),
        "case": (query(www), query([b"wWw", b"EXAMPLE"])),
        "edns": (query(www), query(www, edns_flags=0)),
        "do": (query(www, edns_flags=0), query(www, edns_flags=0x8000)),
        "cd": (query(www), query(www, flags=0x0110)),
        "class": (query(www), query(www, qclass=3)),
        "type": (query(www), query(www, qtype=28)),
        "name": (query(www), query([b"ww", b"wexample"])),
        "dots": (query([b"a.b", b"c"]), query([b"a", b"b.c"])),
        "bytes": (query([b"\0\xff", b"A"]), query([b"\0\xff", b"a"])),
        "brackets": (query([b"@[`{"]), query([b"`{@["])),
        "root": (query([]), query([])),
        "pointer": (query(www), query(www)[:10] + b"\0\1" + query(www)[12:] + b"\xc0\x0d"
                    + struct.pack(">HHIH", 1, 1, 0, 3) + b"\x3fxy"),
    }


def main():
    """Writes all of them anew."""
    os.makedirs(SEEDS, exist_ok=True)
    for old in os.listdir(SEEDS):
        os.remove(os.path.join(SEEDS, old))
    for key, (first, second) in seeds().items():
        with open(os.path.join(SEEDS, key), "wb") as file:
            file.write(struct.pack(">H", len(first)) + first + second)


if __name__ == "__main__":
    main()
