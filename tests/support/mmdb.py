#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes small MaxMind databases: mmdb.py OUT [--v4] [--deep=N] [--vast=N] NET=CONTINENT/COUNTRY...

The format: https://maxmind.github.io/MaxMind-DB/ (version 2.0), with records of 24 bits. IPv4 nets lie at ::/96 of an
IPv6 tree, which ::ffff:0:0/96 leads to as well, or alone with --v4. With --deep each record begins with N maps in each
other. With --vast N addresses from 10.0.0.0 on have a record of their own each, which begin with one value of all: arrays
of arrays, 105 bytes that stand for 45,000 values.
"""

import ipaddress
import pathlib
import sys

MARKER = b"\xab\xcd\xefMaxMind.com"


def control(kind, size):
    """The byte that begins a value of one of the first seven types."""
    assert size < 29
    return bytes([kind << 5 | size])


def encode(value):
    """A value of the data section; numbers as (bytes of their type, number)."""
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, str):
        return control(2, len(value)) + value.encode("utf-8")
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(map(encode, value))
    width, number = value
    data = number.to_bytes(width, "big")
    return (bytes([width, 2]) if width == 8 else control(5 if width == 2 else 6, width)) + data


class Tree:
    """Nodes are lists of two: None, another node, or (text of a record,)."""

    def __init__(self, version):
        self.version = version
        self.root = [None, None]

    def bits_of(self, net):
        """The path of a net from the root."""
        net = ipaddress.ip_network(net)
        bits = f"{int(net.network_address):0{net.max_prefixlen}b}"[:net.prefixlen]
        return "0" * 96 + bits if self.version == 6 and net.version == 4 else bits

    def put(self, bits, value):
        """Puts a leaf; what stood above it goes on around it."""
        node = self.root
        for bit in map(int, bits[:-1]):
            if not isinstance(node[bit], list):
                node[bit] = [node[bit], node[bit]]
            node = node[bit]
        node[int(bits[-1])] = value

    def find(self, bits):
        """The node at the end of a path."""
        node = self.root
        for bit in map(int, bits):
            node = node[bit]
        return node


def encode_record(record, deep):
    """A record, behind a member of so many maps in each other."""
    text = encode(record)
    return control(7, len(record) + 1) + encode("a") + (control(7, 1) + encode("")) * deep + encode({}) + text[1:]


def encode_vast():
    """A value that is a small one again and again, and where in it the value begins."""
    data, at = encode({}), 0
    for _ in range(4):
        data, at = data + bytes([12, 4]) + bytes([0x20 | at >> 8, at & 0xff]) * 12, len(data)
    return data, at


def write(path, nets, version=6, deep=0, vast=0):
    """Writes a database with a (continent, country) for each net, wider ones first."""
    tree = Tree(version)
    nets = {**nets, **{f"{ipaddress.ip_address('10.0.0.0') + i}/32": ("AN", f"{i}") for i in range(vast)}}
    for net, place in sorted(nets.items(), key=lambda item: ipaddress.ip_network(item[0]).prefixlen):
        tree.put(tree.bits_of(net), (place,))
    if version == 6 and any(ipaddress.ip_network(net).version == 4 for net in nets):
        tree.put("0" * 80 + "1" * 16, tree.find("0" * 96))
    nodes, numbers, places = [], {}, {}
    data, vast_at = encode_vast() if vast else (b"", 0)
    waiting = [tree.root]
    while waiting:
        node = waiting.pop(0)
        if id(node) not in numbers:
            numbers[id(node)] = len(nodes)
            nodes.append(node)
            waiting += [side for side in node if isinstance(side, list)]
    for continent, country in sorted(set(nets.values())):
        places[continent, country] = len(data)
        record = {"continent": {"code": continent}}
        if country:
            record["country"] = {"iso_code": country}
        if vast:
            data += control(7, len(record) + 1) + encode("a") + bytes([0x20, vast_at]) + encode(record)[1:]
        else:
            data += encode_record(record, deep) if deep else encode(record)
    search = b""
    for node in nodes:
        for side in node:
            number = (len(nodes) if side is None else numbers[id(side)] if isinstance(side, list)
                      else len(nodes) + 16 + places[side[0]])
            search += number.to_bytes(3, "big")
    meta = encode({"binary_format_major_version": (2, 2), "binary_format_minor_version": (2, 0),
                   "build_epoch": (8, 1), "database_type": "Pintle-Test", "description": {"en": "test"},
                   "ip_version": (2, version), "languages": ["en"], "node_count": (4, len(nodes)),
                   "record_size": (2, 24)})
    pathlib.Path(path).write_bytes(search + bytes(16) + data + MARKER + meta)


def main(args):
    """As the first line of the file says."""
    version = 6
    if "--v4" in args:
        version = 4
        args.remove("--v4")
    nets = dict(arg.split("=") for arg in args[1:])
    deep, vast = (int(nets.pop(name, 0)) for name in ("--deep", "--vast"))
    write(args[0], {net: tuple(place.split("/")) for net, place in nets.items()}, version, deep, vast)


if __name__ == "__main__":
    main(sys.argv[1:])
