#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the targets http1 and http2_doh, one file per shape of a talk."""

import os
import struct

FOLDER = os.path.dirname(os.path.abspath(__file__))

QUESTION = b"\0\0\1\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\1\0\1"
LATER = b"\3" + QUESTION[1:]
LARGE = b"\2" + QUESTION[1:]
GET_TEXT = b"AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"
TYPE = b"application/dns-message"

# First byte of a seed: 1..3 cuts, 4 takes in between, 8 byte by byte, 16 takes leave.
WHOLE, CUT, EAGER, LEAVING = b"\0", b"\1", b"\x0e", b"\x14"


def get(path=b"/dns-query?dns=" + GET_TEXT, method=b"GET", version=b"1.1", fields=b"Host: x\r\n"):
    return method + b" " + path + b" HTTP/" + version + b"\r\n" + fields + b"\r\n"


def post(body=QUESTION, fields=b"", content_type=TYPE):
    return (b"POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: " + content_type + b"\r\nContent-Length: "
            + str(len(body)).encode() + b"\r\n" + fields + b"\r\n" + body)


def http1():
    """File name -> bytes."""
    return {
        "get": WHOLE + get(),
        "get-cut": CUT + get() + get(),
        "head": WHOLE + get(method=b"HEAD"),
        "put": EAGER + get(method=b"PUT"),
        "old": WHOLE + get(version=b"1.0", fields=b""),
        "no-host": WHOLE + get(fields=b""),
        "url": WHOLE + get(path=b"https://x/dns-query?dns=" + GET_TEXT),
        "elsewhere": WHOLE + get(path=b"/"),
        "padded": WHOLE + get(path=b"/dns-query?dns=AAABAAABAAAAAAAAA3d3dwA="),
        "post": WHOLE + post(),
        "pipeline": EAGER + post() + post(LATER) + post() + get(),
        "many-later": WHOLE + post(LATER) * 40,
        "large": WHOLE + post(LARGE) * 3 + post(),
        "leaving": LEAVING + post(LATER) + post(),
        "expect": EAGER + post(fields=b"Expect: 100-continue\r\n"),
        "close": WHOLE + post(fields=b"Connection: keep-alive, close\r\n") + post(),
        "text": WHOLE + post(content_type=b"text/plain"),
        "chunks": WHOLE + b"POST /dns-query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "folded": WHOLE + get(fields=b"Host: x\r\n y\r\n"),
        "two-lengths": WHOLE + post(fields=b"Content-Length: 33\r\n"),
    }


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(index, value):
    """HPACK: a field of the static table with another value, which does not enter the table."""
    start = bytes([index]) if index < 15 else b"\x0f" + bytes([index - 15])
    return start + bytes([len(value)]) + value


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
GET = b"\x82\x87" + literal(4, b"/dns-query?dns=" + GET_TEXT) + literal(1, b"x")
POST = b"\x83\x87" + literal(4, b"/dns-query") + literal(1, b"x") + literal(31, TYPE)


def ask(stream, body=QUESTION):
    return frame(1, 4, stream, POST) + frame(0, 1, stream, body)


def http2():
    """File name -> bytes."""
    return {
        "preface": WHOLE + PREFACE,
        "get": WHOLE + PREFACE + frame(1, 5, 1, GET),
        "get-cut": CUT + PREFACE + frame(1, 5, 1, GET),
        "post": EAGER + PREFACE + ask(1) + ask(3),
        "later": EAGER + PREFACE + ask(1, LATER) + ask(3) + ask(5, LATER),
        "cancelled": WHOLE + PREFACE + ask(1, LATER) + frame(3, 0, 1, struct.pack(">I", 8)),
        "large": WHOLE + PREFACE + ask(1, LARGE) + frame(8, 0, 1, struct.pack(">I", 65535)),
        "no-window": WHOLE + PREFACE + frame(4, 0, 0, struct.pack(">HI", 4, 0)) + ask(1) + ask(3, LARGE),
        "continued": WHOLE + PREFACE + frame(1, 1, 1, GET[:9]) + frame(9, 4, 1, GET[9:]),
        "padded": WHOLE + PREFACE + frame(1, 4, 1, POST) + frame(0, 9, 1, b"\4" + QUESTION + b"\0" * 4),
        "trailers": WHOLE + PREFACE + frame(1, 4, 1, POST) + frame(0, 0, 1, QUESTION)
                    + frame(1, 5, 1, b"\x40\1a\1b"),
        "pieces": WHOLE + PREFACE + frame(1, 4, 1, POST) + frame(0, 0, 1, QUESTION[:5])
                  + frame(0, 1, 1, QUESTION[5:]),
        "length-lies": WHOLE + PREFACE + frame(1, 4, 1, POST + literal(28, b"70000")),
        "huffman": WHOLE + PREFACE + frame(1, 5, 1, b"\x82\x87\x44\x83\x60\xd5\x48\x41\1x"),
        "table": EAGER + PREFACE + frame(1, 5, 1, GET + b"\x40\1a\1b") + frame(1, 5, 3, GET + b"\xbe" * 9),
        "ping": WHOLE + PREFACE + frame(6, 0, 0, b"01234567"),
        "window-0": WHOLE + PREFACE + frame(8, 0, 0, b"\0\0\0\0"),
        "priority": WHOLE + PREFACE + frame(2, 0, 1, b"\0\0\0\3\x10") + frame(1, 0x25, 3, b"\0\0\0\0\1" + GET),
        "goaway": LEAVING + PREFACE + ask(1, LATER) + frame(7, 0, 0, b"\0" * 8) + ask(3),
        "text": WHOLE + b"GET / HTTP/1.1\r\n\r\n",
    }


def main():
    for target, seeds in (("http1", http1()), ("http2_doh", http2())):
        os.makedirs(os.path.join(FOLDER, target, "seeds"), exist_ok=True)
        for file_name, data in seeds.items():
            with open(os.path.join(FOLDER, target, "seeds", file_name), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
