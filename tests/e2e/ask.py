# SPDX-License-Identifier: Apache-2.0
"""A small stub resolver: one question, one strict look at the answer. The standard library is enough."""

import collections
import ipaddress
import pathlib
import random
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from starved import starved_s  # noqa: E402

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "TXT": 16, "AAAA": 28, "DNAME": 39, "OPT": 41}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
NOTED_S = 0.3
RD, RA, AD, CD, AA, TC = 0x0100, 0x0080, 0x0020, 0x0010, 0x0400, 0x0200

Record = collections.namedtuple("Record", "name type ttl rdata text")


class Reply:
    """What came back. `data` are the addresses in the answer, sorted."""

    def __init__(self, message, question):
        self.message, self.size = message, len(message)
        self.id, self.flags, n_questions, *counts = struct.unpack_from("!6H", message)
        if message[12:12 + len(question)] != question or n_questions != 1 or not self.flags & 0x8000:
            raise ValueError(f"not the answer: {message[:80].hex()}")
        at = 12 + len(question)
        self.sections = []
        for n in counts:
            records = []
            for _ in range(n):
                record, at = self.record(at)
                records.append(record)
            self.sections.append(records)
        if at != len(message):
            raise ValueError("bytes behind the last record")
        self.answer, self.authority, self.additional = self.sections
        self.status = RCODES.get(self.flags & 15, str(self.flags & 15))
        self.data = sorted(r.text for r in self.answer if r.type in (1, 28))
        self.ede = self.option(15)

    def name(self, at):
        labels, end, hops = [], None, 0
        while self.message[at]:
            if self.message[at] >= 0xC0:
                end, hops = end or at + 2, hops + 1
                to = struct.unpack_from("!H", self.message, at)[0] & 0x3FFF
                if to >= at or hops > 64:
                    raise ValueError("a pointer that leads forward")
                at = to
                continue
            labels.append(self.message[at + 1:at + 1 + self.message[at]].decode("latin1").lower())
            at += 1 + self.message[at]
        return ".".join(labels), end or at + 1

    def record(self, at):
        name, at = self.name(at)
        rrtype, _, ttl, bytes_ = struct.unpack_from("!HHIH", self.message, at)
        rdata = self.message[at + 10:at + 10 + bytes_]
        if len(rdata) != bytes_:
            raise ValueError("a record that is cut")
        text = rdata.hex()
        if rrtype in (1, 28):
            text = str(ipaddress.ip_address(rdata))
        elif rrtype in (2, 5, 39):
            text = self.name(at + 10)[0]
        return Record(name, rrtype, ttl, rdata, text), at + 10 + bytes_

    def option(self, code):
        for opt in (r for r in self.additional if r.type == 41):
            at = 0
            while at < len(opt.rdata):
                found, bytes_ = struct.unpack_from("!HH", opt.rdata, at)
                if found == code:
                    return struct.unpack_from("!H", opt.rdata, at + 4)[0]
                at += 4 + bytes_
        return None

    def __str__(self):
        took = getattr(self, "took", 0)
        return f"{self.status} {self.data[:3]} ede={self.ede} took={took:.2f} size={self.size} flags={self.flags:04x}"


class Asker:
    """Asks one server on loopback."""

    def __init__(self, port):
        self.port = port

    def __call__(self, name, rrtype="A", tcp=False, timeout=8, edns=True, source=None, flags=RD, do=False, payload=1232,
                 options=b""):
        qname = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"
        question = qname + struct.pack("!HH", TYPES[rrtype], 1)
        id_ = random.randrange(65536)
        query = struct.pack("!6H", id_, flags, 1, 0, 0, 1 if edns else 0) + question
        if edns:
            query += b"\0" + struct.pack("!HHIH", 41, payload, 0x8000 if do else 0, len(options)) + options
        start = time.monotonic()
        message = self.over_tcp(query, timeout) if tcp else self.over_udp(query, timeout, source)
        reply = Reply(message, question)
        reply.took = time.monotonic() - start
        if reply.took > NOTED_S:  # who watches daemons (support/starved.py) does not count what the machine took
            reply.took -= starved_s(start)
        if reply.id != id_:
            raise ValueError("another id")
        return reply

    def over_udp(self, query, timeout, source):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(timeout)
            if source:
                s.bind((source, 0))
            s.connect(("127.0.0.1", self.port))
            s.send(query)
            return s.recv(65535)

    def over_tcp(self, query, timeout):
        with socket.create_connection(("127.0.0.1", self.port), timeout) as s:
            s.sendall(struct.pack("!H", len(query)) + query)
            got = b""
            while len(got) < 2 or len(got) < 2 + struct.unpack_from("!H", got)[0]:
                chunk = s.recv(65535)
                if not chunk:
                    raise ValueError("closed")
                got += chunk
            return got[2:]


def subnet(text):
    """An EDNS Client Subnet option."""
    net = ipaddress.ip_network(text)
    bytes_ = net.network_address.packed[:(net.prefixlen + 7) // 8]
    return struct.pack("!HHHBB", 8, 4 + len(bytes_), 1 if net.version == 4 else 2, net.prefixlen, 0) + bytes_
