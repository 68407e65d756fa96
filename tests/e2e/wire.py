# SPDX-License-Identifier: Apache-2.0
"""DNS messages byte by byte, right or deliberately wrong, and the sockets that carry them."""

import socket
import struct

A, NS, SOA, TXT, AAAA, OPT, AXFR, ANY = 1, 2, 6, 16, 28, 41, 252, 255
IN, CH = 1, 3
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS, BADCOOKIE = 0, 1, 2, 3, 4, 5, 9, 16, 23
NSID, ECS, EXPIRE, COOKIE, KEEPALIVE, PADDING, EDE = 3, 8, 9, 10, 11, 12, 15


def name(text):
    """A name in wire format; bytes stay as they are."""
    if isinstance(text, bytes):
        return text
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(qname, qtype=A, qclass=IN):
    return name(qname) + struct.pack("!HH", qtype, qclass)


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def opt(options=b"", size=1232, ttl=0, length=None, owner=b"\0"):
    return owner + struct.pack("!HHIH", OPT, size, ttl, len(options) if length is None else length) + options


def message(body=b"", ident=0x1234, flags=0, counts=(1, 0, 0, 0)):
    return struct.pack("!HHHHHH", ident, flags, *counts) + body


def query(qname, qtype=A, qclass=IN, ident=0x1234, flags=0, edns=None):
    """A plain question; `edns` is a whole OPT."""
    return message(question(qname, qtype, qclass) + (edns or b""), ident, flags, (1, 0, 0, 1 if edns else 0))


class Reply:
    """The head of an answer, and its OPT."""

    def __init__(self, data):
        self.data = data
        self.ident, self.flags, *self.counts = struct.unpack("!HHHHHH", data[:12])
        self.rcode = self.flags & 15
        self.opcode = self.flags >> 11 & 15
        self.qr, self.aa, self.tc, self.rd = (bool(self.flags & bit) for bit in (0x8000, 0x400, 0x200, 0x100))
        self.options, self.records, self.edns_size = [], [], None
        self.read()

    def skip(self, at):
        while True:
            length = self.data[at]
            if length >= 0xC0:
                return at + 2
            at += 1 + length
            if length == 0:
                return at

    def read(self):
        at = 12
        for _ in range(self.counts[0]):
            at = self.skip(at) + 4
        for section in (1, 2, 3):
            for _ in range(self.counts[section]):
                at = self.skip(at)
                rrtype, rrclass, ttl, length = struct.unpack_from("!HHIH", self.data, at)
                at += 10
                rdata = self.data[at:at + length]
                if len(rdata) < length:
                    raise ValueError("a record past the end")
                at += length
                if rrtype == OPT:
                    self.edns_size = rrclass
                    self.rcode |= ttl >> 24 << 4
                    self.read_options(rdata)
                else:
                    self.records.append((section, rrtype, ttl, rdata))
        if at != len(self.data):
            raise ValueError("bytes behind the last record")

    def read_options(self, rdata):
        at = 0
        while at < len(rdata):
            code, length = struct.unpack_from("!HH", rdata, at)
            self.options.append((code, rdata[at + 4:at + 4 + length]))
            at += 4 + length

    def option(self, code):
        """Data of the one option of that code, or None."""
        found = [data for c, data in self.options if c == code]
        if len(found) > 1:
            raise ValueError(f"option {code} twice")
        return found[0] if found else None

    def __str__(self):
        return (f"id {self.ident} flags {self.flags:04x} rcode {self.rcode} counts {self.counts} "
                f"options {self.options} {len(self.data)} bytes")


# --- Sockets ----------------------------------------------------------------------------------------


def ask_udp(port, wire, timeout_s=10, sock=None):
    """The datagram that comes back, or None; `sock` is kept open when given."""
    mine = sock or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        mine.settimeout(timeout_s)
        mine.connect(("127.0.0.1", port))
        mine.send(wire)
        return mine.recv(65535)
    except (TimeoutError, ConnectionRefusedError):
        return None
    finally:
        if sock is None:
            mine.close()


class Stream:
    """A connection of messages behind their length; `wrap` makes it TLS."""

    def __init__(self, port, wrap=None, timeout_s=10):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap:
            self.sock = wrap(self.sock)
        self.rest = b""

    def send(self, wire, length=None):
        self.sock.sendall(struct.pack("!H", len(wire) if length is None else length) + wire)

    def raw(self, data):
        self.sock.sendall(data)

    def receive(self):
        """The next message; None when the connection is over or silent."""
        try:
            while len(self.rest) < 2 or len(self.rest) < 2 + struct.unpack("!H", self.rest[:2])[0]:
                data = self.sock.recv(65536)
                if not data:
                    return None
                self.rest += data
        except (TimeoutError, ConnectionError, OSError):
            return None
        length = struct.unpack("!H", self.rest[:2])[0]
        data, self.rest = self.rest[2:2 + length], self.rest[2 + length:]
        return data

    def ask(self, wire):
        self.send(wire)
        return self.receive()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
