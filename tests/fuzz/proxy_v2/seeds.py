#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the proxy_v2 target beside it, one file per shape of a header."""

import os
import socket
import struct

SEEDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seeds")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def header(command, family, body, length=None):
    """A header; its length follows from the body unless given."""
    return SIGNATURE + struct.pack(">BBH", command, family, len(body) if length is None else length) + body


V4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.2") + struct.pack(">HH", 40000, 53)
V6 = (socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "2001:db8::2")
      + struct.pack(">HH", 40000, 853))
TLVS = b"\1\0\3dot" + b"\3\0\4\0\0\0\0"

SHAPES = {
    "v4-stream": header(0x21, 0x11, V4) + b"\0\x1dwhat the client says",
    "v4-datagram": header(0x21, 0x12, V4),
    "v6-stream": header(0x21, 0x21, V6 + TLVS),
    "v6-datagram": header(0x21, 0x22, V6),
    "local": header(0x20, 0x00, b""),
    "local-with-more": header(0x20, 0x11, V4 + TLVS),
    "unspecified": header(0x21, 0x00, b""),
    "unix": header(0x21, 0x31, b"/" * 216),
    "short-addresses": header(0x21, 0x11, V4[:11]),
    "length-past-the-end": header(0x21, 0x11, V4, 400),
    "too-long": header(0x21, 0x11, V4 + b"\4" + b"\0" * 5000),
    "version-1": b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 53\r\n",
    "version-3": header(0x31, 0x11, V4),
    "command-2": header(0x22, 0x11, V4),
    "transport-3": header(0x21, 0x13, V4),
    "signature": SIGNATURE,
    "half-a-signature": SIGNATURE[:5],
    "empty": b"",
}


def main():
    """Writes them."""
    os.makedirs(SEEDS, exist_ok=True)
    for shape, data in SHAPES.items():
        with open(os.path.join(SEEDS, shape), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main()
