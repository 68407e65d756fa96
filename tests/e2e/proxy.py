#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PX1: PROXY version 2 in front of UDP, TCP, TLS and HTTPS. Who stands in the header asks, everywhere: the view, the
cookie, the limit on connections. From strangers, or where nobody told us of proxies, the header is no way in.
ACL1: whom a policy refuses is refused over all of them alike.

Prints one line per check and, last, "N passed, N failed".
"""

import base64
import hashlib
import pathlib
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
import streams  # noqa: E402
import tls  # noqa: E402
from nameserver import NameServer  # noqa: E402

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
OUTSIDE = b"\3www\7outside\4test\0"  # another server is asked for it: its first answer comes late
NAME = b"\3web\7default\3svc\7cluster\5local\0"
OWN = {"10.1.0.9": "10.96.0.1", "10.2.0.9": "10.97.0.1", "fd00:1::9": "10.96.0.1", "fd00:2::9": "10.97.0.1"}
PER_CLIENT = 5
CLOSED_S = 10  # as a rule at once

CONFIG = """\
listen:
  - {{address: 127.0.0.1:{plain}}}
  - {{address: 127.0.0.1:{dot}, tls: {{certificate: tls.crt, key: tls.key}}}}
  - {{address: 127.0.0.1:{proxied}, proxy: {{from: [127.0.0.1/32]}}}}
  - {{address: 127.0.0.1:{proxied_dot}, proxy: {{from: [127.0.0.1/32]}}, tls: {{certificate: tls.crt, key: tls.key}}}}
  - {{address: 127.0.0.1:{proxied_https}, proxy: {{from: [127.0.0.1/32]}}, https: {{certificate: tls.crt, key: tls.key}}}}
clusters:
  - {{name: c1, directory: c1, clients: [10.1.0.0/16, "fd00:1::/64"]}}
  - {{name: c2, directory: c2, clients: [10.2.0.0/16, "fd00:2::/64"]}}
forward: [{{zone: outside.test, to: ["127.0.0.1:{upstream}"]}}]
allowRecursion: [10.1.0.0/16]
streams: {{maxPerClient: {per_client}, handshakeTimeout: 1s}}
shutdown: {{lameduck: 0s}}
workers: 1
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default}}
spec: {{clusterIP: {ip}, clusterIPs: [{ip}], ports: [{{name: http, port: 80}}]}}
"""
ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: guarded, namespace: default}
spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}
---
apiVersion: pintle.dev/v1alpha1
kind: ResolvePolicy
metadata: {name: some, namespace: default}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: guarded}]
  allow: [{cidrs: [10.1.0.0/16, "fd00:1::/64"]}]
"""
GUARDED = "guarded-default-" + hashlib.sha256(b"default/c1/HTTPRoute/default/guarded").hexdigest()[:16]


def header(source, command=0x21, transport=1, more=b""):
    """A header that says that `source` asks."""
    if source is None:
        return SIGNATURE + struct.pack("!BBH", 0x20, 0, 0)
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    body = 2 * socket.inet_pton(family, source) + struct.pack("!HH", 40000, 53) + more
    return SIGNATURE + struct.pack("!BBH", command, (2 if ":" in source else 1) << 4 | transport, len(body)) + body


def query(ident=1, cookie=b"", name=NAME, flags=0):
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(cookie)) + cookie
    return struct.pack("!HHHHHH", ident, flags, 1, 0, 0, 1) + name + struct.pack("!HH", 1, 1) + opt


def framed(message):
    return struct.pack("!H", len(message)) + message


def address(answer, name=NAME):
    """The address in an answer, or its rcode where there is none."""
    n_answers, rcode = struct.unpack("!H", answer[6:8])[0], answer[3] & 15
    at = 12 + len(name) + 4
    return socket.inet_ntoa(answer[at + 12:at + 16]) if n_answers == 1 else f"rcode {rcode}"


def read(stream):
    return tls.receive(stream, struct.unpack("!H", tls.receive(stream, 2))[0])


def ask_udp(port, datagram, source="127.0.0.1"):
    """The answer, or None when there is silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((source, 0))
        udp.connect(("127.0.0.1", port))
        udp.settimeout(0.5)
        udp.send(datagram)
        try:
            return udp.recv(2048)
        except socket.timeout:
            return None


def connect(port, first=b"", source="127.0.0.1"):
    stream = socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source, 0))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.sendall(first)
    return stream


def wrapped(stream):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(stream, server_hostname=tls.HOST)


class Ports:
    """Free ports for all listeners; the log tells them in the order of the configuration."""

    def __init__(self):
        self.plain, self.dot, self.proxied, self.proxied_dot, self.proxied_https = (self.free() for _ in range(5))

    @staticmethod
    def free():
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            udp.bind(tcp.getsockname())
            return tcp.getsockname()[1]


def inner(checks, ports):
    for source, wanted in OWN.items():
        answer = ask_udp(ports.proxied, header(source, transport=2) + query())
        checks.equal(f"UDP: {source} sees its own cluster", answer and address(answer), wanted)
        stream = connect(ports.proxied, header(source, more=b"\1\0\3dot") + framed(query()) + framed(query(2)))
        checks.equal(f"TCP: {source} does", [address(read(stream)) for _ in range(2)], [wanted] * 2)
        stream.close()
        stream = wrapped(connect(ports.proxied_dot, header(source)))
        stream.sendall(framed(query()))
        checks.equal(f"TLS: {source} does", address(read(stream)), wanted)
        stream.close()
    answer = ask_udp(ports.proxied, header(None) + query())
    stranger = ask_udp(ports.plain, query())
    checks.equal("a health check asks for itself", address(answer), address(stranger))
    stream = connect(ports.proxied, header(None) + framed(query()))
    checks.equal("and over TCP", address(read(stream)), address(stranger))
    stream.close()
    stream = connect(ports.proxied)
    for octet in header("10.2.0.9") + framed(query()):
        stream.sendall(bytes([octet]))
    checks.equal("a header in pieces", address(read(stream)), "10.97.0.1")
    stream.close()


def http_answer(stream, request):
    """The body of the answer to one request over HTTP/1.1."""
    stream.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += stream.recv(4096) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    return body + tls.receive(stream, length - len(body))


def everywhere(ports, source, message):
    """The answer to one message over every transport, by its name."""
    answers = {"UDP": ask_udp(ports.proxied, header(source, transport=2) + message)}
    stream = connect(ports.proxied, header(source) + framed(message))
    answers["TCP"] = read(stream)
    stream.close()
    stream = wrapped(connect(ports.proxied_dot, header(source)))
    stream.sendall(framed(message))
    answers["DoT"] = read(stream)
    stream.close()
    encoded = base64.urlsafe_b64encode(message).rstrip(b"=")
    stream = wrapped(connect(ports.proxied_https, header(source)))
    answers["DoH GET"] = http_answer(stream, b"GET /dns-query?dns=" + encoded + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    answers["DoH POST"] = http_answer(
        stream, b"POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: application/dns-message\r\n"
        + f"Content-Length: {len(message)}\r\n\r\n".encode() + message)
    stream.close()
    return answers


def access(checks, ports):
    name = bytes([len(GUARDED)]) + GUARDED.encode() + b"\6pintle\10internal\0"
    message = query(name=name)
    for source in ("10.1.0.9", "fd00:1::9", "::ffff:10.1.0.9"):
        seen = {how: answer[3] & 15 for how, answer in everywhere(ports, source, message).items()}
        checks.equal(f"ACL1 {source} is answered over all transports", set(seen.values()), {0})
    refusals_seen = []
    for source in ("10.2.0.9", "fd00:2::9", "::ffff:10.2.0.9"):
        answers = everywhere(ports, source, message)
        refusals_seen += answers.values()
        checks.equal(f"ACL1 {source} is refused over all transports", {how: a[3] & 15 for how, a in answers.items()},
                     dict.fromkeys(answers, 5))
    checks.check("ACL1 all refusals are the same, byte for byte, with EDE 18",
                 len(set(refusals_seen)) == 1 and b"\0\x0f" in refusals_seen[0] and b"\0\x12" in refusals_seen[0],
                 set(refusals_seen))


def cookies(checks, ports):
    option = struct.pack("!HH", 10, 8) + b"abcdefgh"

    def cookie(source):
        answer = ask_udp(ports.proxied, header(source, transport=2) + query(cookie=option))
        at = answer.find(b"abcdefgh") if answer else -1
        return answer[at:at + 24] if at >= 0 else b""

    one, other = cookie("10.1.0.9"), cookie("10.1.0.10")
    checks.check("the cookie is the inner address's", len(one) == 24 and one[16:] != other[16:], f"{one} {other}")


def limits(checks, ports):
    opened = [connect(ports.proxied, header("10.1.0.9") + framed(query())) for _ in range(PER_CLIENT + 3)]
    other = connect(ports.proxied, header("10.2.0.9") + framed(query()))
    checks.equal("another inner address has a count of its own", address(read(other)), "10.97.0.1")
    n_closed = sum(streams.is_closed(stream, 0.3) for stream in opened[:3])
    n_open = sum(address(read(stream)) == "10.96.0.1" for stream in opened[3:])
    checks.equal("the limit of connections counts inner addresses", (n_closed, n_open), (3, PER_CLIENT))
    for stream in [*opened, other]:
        stream.close()


def late(checks, ports):
    """What has to be asked elsewhere comes back by way of the proxy, too."""
    question = query(name=OUTSIDE, flags=0x0100)
    for what in ("late", "cached"):
        answer = ask_udp(ports.proxied, header("10.1.0.9") + question)
        checks.equal(f"UDP: a {what} answer of another server goes to the proxy", answer and address(answer, OUTSIDE), "192.0.2.7")
    answer = ask_udp(ports.proxied, header("10.2.0.9") + question)
    checks.equal("UDP: who stands in the header is let ask, or not", answer and address(answer, OUTSIDE), "rcode 5")
    stream = connect(ports.proxied, header("10.1.0.9") + framed(query(name=OUTSIDE.replace(b"www", b"ww2"), flags=0x0100)))
    checks.equal("TCP: the same", address(read(stream), OUTSIDE), "192.0.2.7")
    stream.close()


def refusals(checks, daemon, ports):
    first = header("10.1.0.9")
    checks.equal("UDP: a header where none is expected is dropped", ask_udp(ports.plain, first + query()), None)
    for what, port in (("TCP", ports.plain), ("TLS", ports.dot)):
        stream = connect(port, first + framed(query()))
        checks.check(f"{what}: a header where none is expected ends the connection", streams.is_closed(stream, CLOSED_S))
        stream.close()
    stream = connect(ports.plain, framed(query()) + first)
    checks.check("TCP: behind a query, too", read(stream) and streams.is_closed(stream, CLOSED_S))
    stream.close()
    checks.equal("UDP: a stranger's header is dropped", ask_udp(ports.proxied, first + query(), "127.0.0.2"), None)
    for port in (ports.proxied, ports.proxied_dot):
        stream = connect(port, source="127.0.0.2")
        checks.check("a stranger's connection is closed", streams.is_closed(stream, CLOSED_S))
        stream.close()
    checks.equal("UDP: no header where one is wanted", ask_udp(ports.proxied, query()), None)
    for what, data in (("no header", framed(query())), ("version 1", b"PROXY TCP4 10.1.0.9 10.1.0.9 1 53\r\n"),
                       ("a length that lies", first[:14] + b"\0\4" + first[16:]),
                       ("a header that is too long", first[:14] + b"\xff\xff" + first[16:])):
        stream = connect(ports.proxied, data)
        checks.check(f"TCP: {what} ends the connection", streams.is_closed(stream, CLOSED_S))
        stream.close()
    start_s = time.monotonic()
    stream = connect(ports.proxied, first[:20])
    checks.check("TCP: half a header is over after its deadline",
                 streams.is_closed(stream, CLOSED_S) and time.monotonic() - start_s > 0.8)
    stream.close()
    checks.check("all of them are counted", streams.event(daemon, "bad_proxy") >= 8, streams.event(daemon, "bad_proxy"))


def all_parts(checks, dir):
    for cluster, ip in (("c1", "10.96.0.1"), ("c2", "10.97.0.1")):
        (dir / cluster).mkdir()
        (dir / cluster / "web.yaml").write_text(SERVICE.format(ip=ip))
    (dir / "c1" / "route.yaml").write_text(ROUTE)
    tls.make_certificate(dir)
    ports = Ports()
    upstream = NameServer()
    upstream.names = {"www.outside.test": ["192.0.2.7"], "ww2.outside.test": ["192.0.2.7"]}
    upstream.ttl_s = 60
    (dir / "pintle.yaml").write_text(CONFIG.format(
        plain=ports.plain, dot=ports.dot, proxied=ports.proxied, proxied_dot=ports.proxied_dot,
        proxied_https=ports.proxied_https, per_client=PER_CLIENT, upstream=upstream.port))
    daemon = tls.TlsDaemon(dir, "proxy")
    try:
        checks.becomes("the clusters are there", lambda: daemon.metric(r'pintle_cluster_synced\{cluster="c2"\}'),
                       lambda seen: seen == 1)
        inner(checks, ports)
        access(checks, ports)
        cookies(checks, ports)
        limits(checks, ports)
        late(checks, ports)
        refusals(checks, daemon, ports)
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)
        upstream.stop()


if __name__ == "__main__":
    sys.exit(e2e.play("proxy", all_parts))
