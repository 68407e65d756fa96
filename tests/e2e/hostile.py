# SPDX-License-Identifier: Apache-2.0
"""A resolver that means ill: what it does to a question is the first label of the name.

Every message that reaches it, over UDP or TCP, is noted in `seen`. Answers are the address GOOD; whatever a client
must never be shown is FORGED.
"""

import collections
import socket
import ssl
import struct
import threading
import time

GOOD, FORGED = "192.0.2.1", "203.0.113.66"
A, NS, CNAME, SOA, TXT, AAAA, DNAME, OPT = 1, 2, 5, 6, 16, 28, 39, 41

Seen = collections.namedtuple("Seen", "name qtype qname proto port id size is_do is_cd time")


def wire(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def rr(owner, rrtype, ttl, rdata):
    return owner + struct.pack("!HHIH", rrtype, 1, ttl, len(rdata)) + rdata


def address(ip):
    return socket.inet_aton(ip)


class Question:
    def __init__(self, message, proto, peer):
        self.message, self.proto, self.peer = message, proto, peer
        self.id, self.flags, _, _, _, self.n_additional = struct.unpack_from("!6H", message)
        labels, at = [], 12
        while message[at]:
            labels.append(message[at + 1:at + 1 + message[at]].decode("latin1"))
            at += 1 + message[at]
        self.qname = ".".join(labels)
        self.name = self.qname.lower()
        self.qtype = struct.unpack_from("!H", message, at + 1)[0]
        self.end = at + 5
        self.wire = message[12:self.end]
        self.size, self.is_do = None, False
        if self.n_additional:
            self.size, _, flags = struct.unpack_from("!HHH", message, self.end + 3)
            self.is_do = bool(flags & 0x8000)
        self.is_cd = bool(self.flags & 0x10)

    def reply(self, answers=(), authority=(), additional=(), rcode=0, flags=0x8180, id=None, question=None, counts=None):
        counts = counts or (1 if question is None or question else 0, len(answers), len(authority), len(additional))
        return struct.pack("!6H", self.id if id is None else id, flags | rcode, *counts) + (
            self.wire if question is None else question) + b"".join((*answers, *authority, *additional))

    def good(self, ttl=60, ip=GOOD):
        return self.reply([rr(b"\xc0\x0c", A, ttl, address(ip))])

    def soa(self, zone, ttl=60, minimum=60):
        return rr(wire(zone), SOA, ttl, wire("ns." + zone) + wire("h." + zone) + struct.pack("!5I", 1, 2, 3, 4, minimum))


class Upstream:
    """Over UDP and TCP; with a certificate over TLS alone, and then it may also close `at_hello`."""

    def __init__(self, host="127.0.0.1", port=0, certificate=None, at_hello=False):
        self.tls, self.at_hello, self.n_streams = None, at_hello, 0
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
        self.seen = []
        self.switch = {}  # name -> what the behaviour is now
        self.lock = threading.Lock()
        while True:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind((host, port))
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.tcp = socket.socket()
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.tcp.bind((host, self.udp.getsockname()[1]))
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.tcp.listen(64)
        self.other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.other.bind((host, 0))
        self.host, self.port = host, self.udp.getsockname()[1]
        self.is_open = True
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def close(self):
        self.is_open = False
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def of(self, name, proto=None):
        with self.lock:
            return [s for s in self.seen if s.name == name and proto in (None, s.proto)]

    def note(self, q):
        with self.lock:
            self.seen.append(Seen(q.name, q.qtype, q.qname, q.proto, q.peer[1], q.id, q.size, q.is_do, q.is_cd,
                                  time.monotonic()))

    def serve_udp(self):
        while self.is_open:
            try:
                message, peer = self.udp.recvfrom(65535)
            except OSError:
                return
            q = Question(message, "udp", peer)
            self.note(q)
            self.act(q, lambda m, peer=peer: self.send_udp(m, peer))

    def send_udp(self, message, peer):
        try:
            self.udp.sendto(message, peer)
        except OSError:
            pass

    def serve_tcp(self):
        while self.is_open:
            try:
                stream, peer = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_stream, args=(stream, peer), daemon=True).start()

    def serve_stream(self, stream, peer):
        data = b""
        lock = threading.Lock()  # answers that are late come from other threads

        def send(data):
            with lock:
                try:
                    stream.sendall(data)
                except OSError:
                    pass

        try:
            if self.at_hello:
                stream.recv(1)
                stream.close()
                return
            if self.tls:
                stream = self.tls.wrap_socket(stream, server_side=True)
            self.n_streams += 1
            while True:
                chunk = stream.recv(65535)
                if not chunk:
                    break
                data += chunk
                while len(data) >= 2 and len(data) >= 2 + struct.unpack_from("!H", data)[0]:
                    n = struct.unpack_from("!H", data)[0]
                    q, data = Question(data[2:2 + n], "tls" if self.tls else "tcp", peer), data[2 + n:]
                    self.note(q)
                    q.stream = stream
                    self.act(q, lambda m: send(struct.pack("!H", len(m)) + m))
        except OSError:
            pass
        stream.close()

    def act(self, q, send):
        kind = self.switch.get(q.name, q.name.split(".")[0].split("-")[0])
        if q.name == "" or q.name.endswith(".invalid"):
            send(q.reply(rcode=5))
            return
        try:
            for message in getattr(self, "do_" + kind, self.do_good)(q, send) or ():
                send(message)
        except (IndexError, ValueError, struct.error) as err:
            print(f"hostile: {q.name}: {err!r}", flush=True)

    # --- what it does ---------------------------------------------------------------------------

    def do_good(self, q, send):
        return [q.good()] if q.qtype == A else [q.reply(authority=[q.soa("test")])]

    def do_silent(self, q, send):
        return []

    def do_wrongid(self, q, send):
        return [q.reply([rr(b"\xc0\x0c", A, 60, address(FORGED))], id=q.id ^ 1), q.good()]

    def do_wrongquestion(self, q, send):
        return [q.reply([rr(b"\xc0\x0c", A, 60, address(FORGED))], question=wire("other.test") + q.wire[-4:]), q.good()]

    def do_wrongcase(self, q, send):
        return [q.reply([rr(b"\xc0\x0c", A, 60, address(FORGED))], question=q.wire.swapcase()), q.good()]

    def do_noquestion(self, q, send):
        return [q.reply([rr(wire(q.name), A, 60, address(FORGED))], question=b""), q.good()]

    def do_wrongport(self, q, send):
        self.other.sendto(q.good(ip=FORGED), q.peer)
        time.sleep(0.05)
        return [q.good()]

    def do_query(self, q, send):  # QR = 0
        return [q.reply([rr(b"\xc0\x0c", A, 60, address(FORGED))], flags=0x0100), q.good()]

    def do_short(self, q, send):
        good = q.good()
        return [b"", good[:1], good[:11], good[:12], good[:20], good[:-1], good]

    def do_garbage(self, q, send):
        return [bytes(range(200))] if q.proto == "udp" else [bytes(200)]

    def do_flood(self, q, send):
        if q.proto == "tcp":
            return [q.good()]
        for i in range(400):
            if (i * 163 + 7) % 65536 != q.id:
                send(q.reply([rr(b"\xc0\x0c", A, 60, address(FORGED))], id=(i * 163 + 7) % 65536))
        return []

    def do_extra(self, q, send):
        return [q.reply([rr(b"\xc0\x0c", A, 60, address(GOOD)), rr(wire("victim.test"), A, 60, address(FORGED))],
                        [rr(wire("test"), NS, 60, wire("ns.evil"))],
                        [rr(wire("victim.test"), A, 60, address(FORGED)), rr(wire("ns.evil"), A, 60, address(FORGED))])]

    def do_victim(self, q, send):
        return [q.good()]

    def do_dname(self, q, send):  # for an ancestor of the question
        below = q.name.split(".", 1)[1]
        label = q.name.split(".")[0]
        return [q.reply([rr(wire(below), DNAME, 60, wire("evil.test")),
                         rr(b"\xc0\x0c", CNAME, 60, wire(label + ".evil.test")),
                         rr(wire(label + ".evil.test"), A, 60, address(GOOD))])]

    def do_loop(self, q, send):
        other = "loop-b.test" if q.name == "loop-a.test" else "loop-a.test"
        return [q.reply([rr(b"\xc0\x0c", CNAME, 60, wire(other)), rr(wire(other), CNAME, 60, wire(q.name))])]

    def do_back(self, q, send):  # to a zone of ours, which leads here
        return [q.reply([rr(b"\xc0\x0c", CNAME, 60, wire("back.corp.example"))])]

    def do_hop(self, q, send):  # one more CNAME with each question
        n = int(q.name.split(".")[0].split("-")[1])
        return [q.reply([rr(b"\xc0\x0c", CNAME, 60, wire(f"hop-{n + 1}.test"))])]

    def do_chain(self, q, send):  # all of it at once
        names = [q.name] + [f"link{i}.test" for i in range(60)]
        return [q.reply([rr(wire(a), CNAME, 60, wire(b)) for a, b in zip(names, names[1:])])]

    def do_tc(self, q, send):
        return [q.reply(flags=0x8380)] if q.proto == "udp" else [q.good()]

    def do_tctc(self, q, send):
        return [q.reply(flags=0x8380)]

    def do_tcclose(self, q, send):
        if q.proto == "udp":
            return [q.reply(flags=0x8380)]
        q.stream.shutdown(socket.SHUT_RDWR)
        return []

    def do_huge(self, q, send):
        if q.proto == "udp":
            return [q.reply(flags=0x8380)]
        return [q.reply([rr(b"\xc0\x0c", A, 60, struct.pack("!I", 0x0A000000 + i)) for i in range(3900)])]

    def do_highttl(self, q, send):
        return [q.good(ttl=0x80000001)]

    def do_longttl(self, q, send):
        return [q.good(ttl=0x7FFFFFFF)]

    def do_zerottl(self, q, send):
        return [q.good(ttl=0)]

    def do_nx(self, q, send):
        return [q.reply(authority=[q.soa("test")], rcode=3)]

    def do_nxbare(self, q, send):
        return [q.reply(rcode=3)]

    def do_refused(self, q, send):
        return [q.reply(rcode=5)]

    def do_servfail(self, q, send):
        return [q.reply(rcode=2)]

    def do_formerr(self, q, send):
        return [q.good()] if q.size is None else [q.reply(rcode=1)]

    def do_badvers(self, q, send):
        if q.size is None:
            return [q.good()]
        return [q.reply(additional=[b"\0" + struct.pack("!HHIH", OPT, 1232, 0x01010000, 0)])]

    def do_pointer(self, q, send):  # a name that points at itself
        at = 12 + len(q.wire)
        return [q.reply([rr(struct.pack("!H", 0xC000 | at), A, 60, address(FORGED))])]

    def do_rdlength(self, q, send):
        return [q.reply([b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 60, 400) + address(FORGED)])]

    def do_ancount(self, q, send):
        return [q.reply([rr(b"\xc0\x0c", A, 60, address(FORGED))], counts=(1, 40, 0, 0))]

    def do_length(self, q, send):
        return [q.reply([rr(b"\xc0\x0c", A, 60, address(FORGED) + b"\1")])]

    def do_ede(self, q, send):
        text = b"x" * 1400
        option = struct.pack("!HHH", 15, 2 + len(text), 0) + text
        return [q.reply([rr(b"\xc0\x0c", A, 60, address(GOOD))],
                        additional=[b"\0" + struct.pack("!HHIH", OPT, 1232, 0, len(option)) + option])]

    def do_agent(self, q, send):
        agent = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0"
        option = struct.pack("!HH", 18, len(agent)) + agent
        return [q.reply(rcode=2, additional=[b"\0" + struct.pack("!HHIH", OPT, 1232, 0, len(option)) + option])]

    def do_slow(self, q, send):  # so that it has to be waited for, not long enough to be asked again
        threading.Timer(0.25, lambda: send(q.good())).start()
        return []

    def do_late(self, q, send):  # later than anybody waits
        threading.Timer(4.0, lambda: send(q.good())).start()
        return []

    def do_stale(self, q, send):
        return [q.good(ttl=2)]

    def do_stalenx(self, q, send):
        return [q.reply(authority=[q.soa("test", ttl=2, minimum=2)], rcode=3)]

    def do_maginot(self, q, send):  # speaks for a zone that another resolver is asked for
        return [q.reply([rr(b"\xc0\x0c", CNAME, 60, wire("www.b")), rr(wire("www.b"), A, 60, address(FORGED))])]

    def do_ours(self, q, send):
        target = "userlist-svc.song.svc.clusterset.local"
        return [q.reply([rr(b"\xc0\x0c", CNAME, 60, wire(target)), rr(wire(target), A, 60, address(FORGED))])]

    def do_ad(self, q, send):
        return [q.reply([rr(b"\xc0\x0c", A, 60, address(GOOD))], flags=0x81A0)]
