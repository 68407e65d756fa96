#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Streams under clients that behave badly: the short form of each row of the TCP table, and limits on TLS.

T1 idle connections, T2 nobody reads, T3 slow queries, T4 one connection asks without end, T5 resets, T6 no descriptors,
T7 odd lengths, T8 a client that vanished, T9 nothing left half closed. Prints one line per check and, last,
"N passed, N failed".
"""

import os
import pathlib
import resource
import select
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
from starved import starved_s  # noqa: E402
import tls  # noqa: E402  (its daemon and certificates)

N_IDLE, PER_CLIENT = 1500, 500
N_DEAF = 50
N_SLOW = 200
N_PIPELINED = 200000
N_RESETS = 2000
MIB = 1 << 20
TCP_REPAIR = 19

CONFIG = """\
listen:
  - {{address: 127.0.0.1:0, maxConnections: 1200}}
  - {{address: 127.0.0.1:0, tls: {{certificate: tls.crt, key: tls.key}}}}
zones: {{files: [{{zone: t.example, file: t.zone}}]}}
clusters: [{{name: c1, directory: c1}}]
shutdown: {{lameduck: 0s}}
workers: 1
streams: {{{streams}}}
"""
ZONE = tls.ZONE + "".join(f'big TXT "{i:04d}{"x" * 240}"\n' for i in range(200))


def start(dir, name, streams):
    (dir / "pintle.yaml").write_text(CONFIG.format(streams=streams))
    return tls.TlsDaemon(dir, name)


def connect(daemon, source="127.0.0.1", port=None):
    return socket.create_connection(("127.0.0.1", port or daemon.port), timeout=10, source_address=(source, 0))


def big(ident):
    query = struct.pack("!HHHHHH", ident, 0x100, 1, 0, 0, 0) + b"\3big\1t\7example\0" + struct.pack("!HH", 16, 1)
    return struct.pack("!H", len(query)) + query


def is_closed(stream, seconds):
    """Whether the server closes within so many seconds; what it says before is skipped."""
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            return False
        try:
            if not stream.recv(65536):
                return True
        except OSError:
            return True


def rss(daemon):
    with open(f"/proc/{daemon.child.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory_limit(daemon, limit):
    """What memory may grow by; a sanitizer keeps what was freed for a while."""
    with open(f"/proc/{daemon.child.pid}/maps", encoding="ascii", errors="replace") as file:
        return limit * (20 if "san.so" in file.read() else 1)


def cpu_s(daemon):
    with open(f"/proc/{daemon.child.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lost_udp(daemon, n):
    """How many of n questions over UDP, one after the other, get no answer in a second."""
    lost = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", daemon.port))
        udp.settimeout(1)
        for i in range(n):
            udp.send(struct.pack("!H", i) + tls.QUERY[2:])
            try:
                lost += struct.unpack("!H", udp.recv(512)[:2])[0] != i
            except OSError:
                lost += 1
    return lost


def event(daemon, name):
    return daemon.metric(rf'pintle_dns_events_total\{{event="{name}"\}}')


def n_close_wait(daemon):
    """Connections of the daemon's ports that the client has closed and we have not."""
    n = 0
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            _, local, _, state = line.split()[:4]
            n += int(local.rpartition(":")[2], 16) in (daemon.port, daemon.dot) and state == "08"
    return n


# --- the rows -----------------------------------------------------------------------------------

def idle(checks, daemon):
    before = rss(daemon)
    streams = [connect(daemon, "127.0.0.2") for _ in range(N_IDLE)]
    checks.equal("T1 no UDP question is lost meanwhile", lost_udp(daemon, 1000), 0)
    checks.check("T1 memory", rss(daemon) - before < memory_limit(daemon, 64 * MIB), rss(daemon) - before)
    checks.check("T1 the cap closes the surplus, the oldest first",
                 all(is_closed(stream, 10) for stream in streams[:N_IDLE - PER_CLIENT]))
    youngest = streams[-1]
    checks.check("T1 the youngest stay", tls.ask(youngest))
    checks.equal("T1 as many as the cap says", daemon.metric("pintle_dns_streams_open"), PER_CLIENT)
    other = connect(daemon, "127.0.0.3")
    checks.check("T1 another address connects", tls.ask(other))
    for stream in [*streams, other]:
        stream.close()


def listener_full(checks, daemon):
    streams = [connect(daemon, f"127.0.1.{i // 400 + 1}") for i in range(1300)]
    checks.becomes("a listener has no more than its maximum", lambda: event(daemon, "listener_full"),
                   lambda n: n >= 100, 5)
    over_tls = tls.client(daemon.dot)[1]
    checks.check("another listener is none the worse", tls.ask(over_tls))
    over_tls.close()
    for stream in streams:
        stream.close()
    checks.becomes("and it has room again", lambda: daemon.metric("pintle_dns_streams_open"), lambda n: n == 0, 5)


def deaf(checks, daemon):
    before, streams = rss(daemon), [connect(daemon) for _ in range(N_DEAF)]
    for stream in streams:
        stream.setblocking(False)
        try:
            stream.send(b"".join(big(i) for i in range(400)))
        except BlockingIOError:
            pass
    start_s, peak = time.monotonic(), 0
    while time.monotonic() - start_s < 30 and event(daemon, "slow_readers") < N_DEAF:
        peak = max(peak, rss(daemon))
        time.sleep(0.05)
    checks.check("T2 memory", peak - before < memory_limit(daemon, 32 * MIB), peak - before)
    checks.equal("T2 all are closed", event(daemon, "slow_readers"), N_DEAF)
    for stream in streams:
        stream.close()


def slow(checks, daemon):
    start_s, query = time.monotonic(), tls.frame(1)
    streams = [connect(daemon) for _ in range(N_SLOW)]
    for octet in query[:-1]:
        for stream in streams:
            try:
                stream.send(bytes([octet]))
            except OSError:
                pass
        other = connect(daemon)
        checks.passed += tls.ask(other)
        other.close()
        if time.monotonic() - start_s > 4:
            break
        time.sleep(0.2)
    checks.check("T3 slow queries are cut off at the deadline of the message",
                 all(is_closed(stream, 10) for stream in streams))
    checks.equal("T3 all of them for that reason", event(daemon, "slow_queries"), N_SLOW)
    for stream in streams:
        stream.close()


def endless(checks, daemon):
    stream = connect(daemon)
    query, n = tls.frame(1) * 1000, [0]

    def read():
        while n[0] < N_PIPELINED:
            tls.read_answer(file)
            n[0] += 1

    class File:
        """Reads in large pieces."""
        def __init__(self):
            self.file = stream.makefile("rb", buffering=1 << 20)

        def recv(self, size):
            return self.file.read(size)

    file = File()
    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(N_PIPELINED // 1000):
        stream.sendall(query)
    thread.join(60)
    checks.equal("T4 all of the queries pipelined on one connection are answered, on a stack of 256 KiB", n[0], N_PIPELINED)
    stream.close()


def resets(checks, daemon):
    before, reset = daemon.n_fds(), struct.pack("ii", 1, 0)
    for i in range(N_RESETS):
        stream = connect(daemon)
        stream.send(tls.frame(1)[:i % 40])
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        stream.close()
    checks.becomes("T5 resets leave no descriptor behind", daemon.n_fds, lambda n: n <= before, 5)


def no_descriptors(checks, daemon):
    limit = resource.prlimit(daemon.child.pid, resource.RLIMIT_NOFILE)
    n = daemon.n_fds() + 10
    resource.prlimit(daemon.child.pid, resource.RLIMIT_NOFILE, (n, limit[1]))
    before_s, start_s = cpu_s(daemon), time.monotonic()
    streams = [connect(daemon, f"127.0.2.{i % 250 + 1}") for i in range(200)]
    time.sleep(1)
    share = (cpu_s(daemon) - before_s) / (time.monotonic() - start_s)
    checks.check("T6 without descriptors it does not spin", share < 0.1, share)
    checks.equal("T6 and answers over UDP", lost_udp(daemon, 100), 0)
    resource.prlimit(daemon.child.pid, resource.RLIMIT_NOFILE, limit)
    checks.check("T6 who waited is served then", tls.ask(streams[-1]))
    for stream in streams:
        stream.close()


def lengths(checks, daemon):
    good = True
    for length in range(12):
        stream = connect(daemon)
        stream.sendall(struct.pack("!H", length) + b"\0" * length)
        good = good and is_closed(stream, 10)
        stream.close()
    checks.check("T7 lengths that hold no header end the connection", good)
    stream = connect(daemon)
    stream.sendall(b"\xff\xff" + b"\0\1" + b"\0" * 65533)
    answer = tls.receive(stream, struct.unpack("!H", tls.receive(stream, 2))[0])
    checks.equal("T7 the largest message is malformed, no more", answer[3] & 15, 1)
    checks.check("T7 and its connection goes on", tls.ask(stream))
    stream.close()


def vanished(checks, daemon):
    before = daemon.metric("pintle_dns_streams_open")
    stream = connect(daemon)
    tls.ask(stream)
    try:
        stream.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)  # so that close() tells nobody
        stream.close()
    except PermissionError:
        pass  # then it only keeps silent
    checks.becomes("T8 a client that vanished is noticed", lambda: daemon.metric("pintle_dns_streams_open"),
                   lambda n: n == before, 6)
    stream.close()


def handshakes(checks, dir):
    daemon = start(dir, "rates", "handshakesPerSecond: 5, resumptionsPerSecond: 1000")
    try:
        context, stream = tls.client(daemon.dot)
        tls.ask(stream)
        session = (context, stream.session)
        n, began = 0, time.monotonic()
        for _ in range(40):
            tls.ask(stream)  # never idle
            try:
                tls.client(daemon.dot)[1].close()
                n += 1
            except (ssl.SSLError, OSError):
                pass
        n_most = max(12, 7 + 5 * (time.monotonic() - began))
        checks.check("full handshakes of one client are limited", 4 <= n <= n_most, (n, n_most))
        checks.check("and counted", event(daemon, "handshakes_refused") == 40 - n, event(daemon, "handshakes_refused"))
        n = 0
        for _ in range(40):
            tls.ask(stream)
            again = tls.client(daemon.dot, session=session)[1]
            n += again.session_reused and tls.ask(again)
            session = (context, again.session)
            again.close()
        checks.equal("resumptions are not, within their own limit", n, 40)
        checks.check("who is there goes on", tls.ask(stream, 2))
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)


class SlowResolver:
    """A resolver over UDP that thinks about each question for a while."""

    def __init__(self, delay_s):
        self.delay_s = delay_s
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            threading.Timer(self.delay_s, self.answer, (query, peer)).start()

    def answer(self, query, peer):
        at = 12
        while query[at] != 0:
            at += 1 + query[at]
        question = query[12:at + 5]
        self.socket.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4"
                           + socket.inet_aton("198.51.100.7"), peer)


def out_of_order(checks, dir):
    """A3: one slow forwarded question and 99 of our own on one connection."""
    resolver = SlowResolver(1)
    (dir / "pintle.yaml").write_text(CONFIG.format(streams="") +
                                     f'forward: [{{zone: ".", to: ["127.0.0.1:{resolver.port}"]}}]\n')
    daemon = tls.TlsDaemon(dir, "order")
    outside = struct.pack("!HHHHHH", 1000, 0x100, 1, 0, 0, 0) + b"\4slow\7example\3net\0" + struct.pack("!HH", 1, 1)
    outside = struct.pack("!H", len(outside)) + outside
    try:
        for what, stream in (("TCP", connect(daemon)), ("TLS", tls.client(daemon.dot)[1])):
            start_s = time.monotonic()
            stream.sendall(outside.replace(b"slow", what.encode() + b"a") + b"".join(tls.frame(i) for i in range(1, 100)))
            checks.equal(f"A3 {what}: what is ready does not wait for what is not",
                         [tls.read_answer(stream) for _ in range(99)], list(range(1, 100)))
            took_s = time.monotonic() - start_s - starved_s(start_s)
            checks.check(f"A3 {what}: 99 answers long before it", took_s < 0.5, took_s)
            checks.equal(f"A3 {what}: then comes the slow one", tls.read_answer(stream), 1000)
            stream.sendall(outside.replace(b"slow", what.encode() + b"b"))
            with socket.socket(fileno=os.dup(stream.fileno())) as raw:
                raw.shutdown(socket.SHUT_WR)
            checks.equal(f"A3 {what}: half-closed connections wait for theirs", tls.read_answer(stream), 1000)
            stream.close()
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)


def idle_tls(checks, daemon):
    before = rss(daemon)
    streams = []
    for _ in range(400):
        streams.append(tls.client(daemon.dot)[1])
        tls.ask(streams[-1])
    each = (rss(daemon) - before) / len(streams)
    checks.check(f"an idle TLS connection costs {each / 1024:.0f} KiB, at most 64", each < memory_limit(daemon, 65536))
    for stream in streams:
        stream.close()


def all_parts(checks, dir):
    (dir / "c1").mkdir()
    (dir / "t.zone").write_text(ZONE)
    tls.make_certificate(dir)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    if b"libtsan" not in pathlib.Path(e2e.PINTLED).read_bytes():  # that needs more to start at all
        resource.setrlimit(resource.RLIMIT_STACK, (256 << 10, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    daemon = start(dir, "streams", f"maxPerClient: {PER_CLIENT}, idleTimeout: 60s, readTimeout: 2s, writeTimeout: 2s")
    try:
        idle(checks, daemon)
        listener_full(checks, daemon)
        deaf(checks, daemon)
        slow(checks, daemon)
        endless(checks, daemon)
        resets(checks, daemon)
        no_descriptors(checks, daemon)
        lengths(checks, daemon)
        idle_tls(checks, daemon)
        checks.becomes("T9 no connection is left in CLOSE_WAIT", lambda: n_close_wait(daemon), lambda n: n == 0, 5)
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)
    daemon = start(dir, "impatient", "idleTimeout: 2s")
    try:
        vanished(checks, daemon)
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)
    handshakes(checks, dir)
    out_of_order(checks, dir)


if __name__ == "__main__":
    sys.exit(e2e.play("streams", all_parts))
