# SPDX-License-Identifier: Apache-2.0
"""A small real name server on loopback: A and AAAA of a few names, with TTLs, changed while it runs."""

import ipaddress
import socket
import struct
import threading

A, AAAA = 1, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


class NameServer:
    """`names` maps a lower-case name to a list of addresses; `rcode` overrides everything, None says nothing."""

    def __init__(self):
        self.names = {}
        self.ttl_s = 1
        self.rcode = NOERROR
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if not question:
                return
            answer = self.answer(question)
            if answer:
                self.socket.sendto(answer, peer)

    def answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("ascii", "replace").lower())
            at += 1 + question[at]
        rrtype = struct.unpack_from("!H", question, at + 1)[0]
        name = ".".join(labels)
        self.asked.append((name, rrtype))
        if self.rcode is None:
            return None
        known = self.names.get(name)
        rcode = self.rcode or (NOERROR if known is not None else NXDOMAIN)
        ips = [ipaddress.ip_address(ip) for ip in known or [] if rcode == NOERROR]
        ips = [ip for ip in ips if rrtype == (A if ip.version == 4 else AAAA)]
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, len(ips), 0, 0)
        rrs = b"".join(struct.pack("!HHHIH", 0xC00C, rrtype, 1, self.ttl_s, len(ip.packed)) + ip.packed for ip in ips)
        return head + question[12:at + 5] + rrs

    def stop(self):
        wake = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        wake.sendto(b"", ("127.0.0.1", self.port))
        wake.close()
        self.thread.join(5)
        self.socket.close()
