# SPDX-License-Identifier: Apache-2.0
"""The little DNS that the bench needs to check servers before it measures them."""

import os
import socket
import struct
import time

TYPE_A = 1
TYPES = {"A": TYPE_A, "AAAA": 28, "SRV": 33}
HEADER = struct.Struct("!HHHHHH")
RR_FIXED = struct.Struct("!HHIH")


def encode_query(name, query_id, qtype=TYPE_A):
    """A query with RD set and no EDNS, as bench/load sends it."""
    labels = name.rstrip(".").split(".")
    qname = b"".join(bytes([len(label)]) + label.encode("ascii") for label in labels) + b"\0"
    return HEADER.pack(query_id, 0x0100, 1, 0, 0, 0) + qname + struct.pack("!HH", qtype, 1)


def skip_name(wire, at):
    """The offset behind the name at `at`; a compression pointer ends a name."""
    while wire[at] != 0:
        if wire[at] >= 0xC0:
            return at + 2
        at += wire[at] + 1
    return at + 1


def decode_addresses(wire):
    """(rcode, IPv4 addresses of the answer section in their order)."""
    _, flags, _, n_answer, _, _ = HEADER.unpack_from(wire)
    at = skip_name(wire, HEADER.size) + 4
    addresses = []
    for _ in range(n_answer):
        at = skip_name(wire, at)
        rr_type, _, _, rdata_bytes = RR_FIXED.unpack_from(wire, at)
        at += RR_FIXED.size
        if rr_type == TYPE_A:
            addresses.append(socket.inet_ntoa(wire[at:at + 4]))
        at += rdata_bytes
    return flags & 0xF, addresses


class Asker:
    """Asks one server over UDP, one query at a time; a lost datagram is asked again."""

    def __init__(self, port, timeout_s=0.2):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(timeout_s)
        self.socket.connect(("127.0.0.1", port))
        self.next_id = int.from_bytes(os.urandom(2), "big")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask_wire(self, name, tries=5, qtype="A"):
        """The response's bytes, or None when none came."""
        for _ in range(tries):
            self.next_id = (self.next_id + 1) & 0xFFFF
            query = encode_query(name, self.next_id, TYPES[qtype])
            try:
                self.socket.send(query)
                deadline = time.monotonic() + 1.0
                while time.monotonic() < deadline:
                    wire = self.socket.recv(4096)
                    if len(wire) >= len(query) and wire[:2] == query[:2]:
                        return wire
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.01)
        return None

    def ask(self, name, tries=5):
        """(rcode, addresses), or (None, []) when no answer came."""
        wire = self.ask_wire(name, tries)
        return (None, []) if wire is None else decode_addresses(wire)


class StreamAsker:
    """The same over one TCP connection, for answers that fit into no datagram."""

    def __init__(self, port, timeout_s=5):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def ask(self, name):
        """(rcode, addresses)."""
        query = encode_query(name, 1)
        self.socket.sendall(struct.pack("!H", len(query)) + query)
        return decode_addresses(self.stream.read(*struct.unpack("!H", self.stream.read(2))))
