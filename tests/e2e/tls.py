#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DNS over TLS as clients see it: kdig, openssl and Python's ssl against a real pintled.

Names, ALPN, versions and ciphers, resumption, clients that stop half-way, a certificate that changes under load,
keys that others can read. Prints one line per check and, last, "N passed, N failed". Needs kdig, dig and openssl.
"""

import os
import pathlib
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
import starved  # noqa: E402

HOST = "dns.t.example"
N_EARLY = 300    # clients that reset after their first flight
N_HALF = 40      # clients that stop in the middle of a handshake
N_FLOOD = 150    # clients of one address that begin a handshake all at once
N_PIPELINED = 100
HANDSHAKE_S = 5
IDLE_S = 10      # the next longer deadline
QUERY = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\3www\1t\7example\0" + struct.pack("!HH", 1, 1)

CONFIG = """\
listen:
  - {{address: 127.0.0.1:{plain}}}
  - {{address: 127.0.0.1:{dot}, tls: {{certificate: tls.crt, key: tls.key}}}}
zones: {{files: [{{zone: t.example, file: t.zone}}]}}
clusters: [{{name: c1, directory: c1}}]
shutdown: {{lameduck: 0s}}
workers: 1
"""
ZONE = """\
$TTL 300
@   SOA ns1 host 1 3600 600 86400 300
@   NS  ns1
ns1 A   127.0.0.1
www A   192.0.2.1
"""


class TlsDaemon(e2e.Daemon):
    """One pintled whose listeners are those of its configuration."""

    def __init__(self, dir, name, transport="tls"):  # pylint: disable=super-init-not-called
        self.out, self.log = dir / f"{name}.out", dir / f"{name}.log"
        self.port = self.dot = self.admin = None
        with open(self.out, "wb") as out, open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                [e2e.PINTLED, "--config", str(dir / "pintle.yaml"), "--admin", "127.0.0.1:0"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        starved.watch(self.child.pid)
        end = time.monotonic() + e2e.START_S
        while self.admin is None and self.child.poll() is None and time.monotonic() < end:
            time.sleep(e2e.POLL_S)
            found = [re.search(pattern, self.log_text()) for pattern in (
                r"answering DNS on 127\.0\.0\.1:(\d+) \(udp",
                rf"answering DNS on 127\.0\.0\.1:(\d+) \({transport}", r"admin on https?://(\S+)/")]
            if all(found):
                self.port, self.dot = int(found[0].group(1)), int(found[1].group(1))
                self.admin = found[2].group(1)
        if self.admin is None:
            self.stop()
            raise RuntimeError(f"{name} did not start:\n{self.log_text()}")

    def metric(self, pattern):
        """The value of the first sample whose name and labels match, or None."""
        found = re.search(rf"^{pattern} (\S+)$", self.get("/metrics")[1], re.M)
        return float(found.group(1)) if found else None

    def n_fds(self):
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))


def make_certificate(dir, stem="tls", key="ec"):
    """A certificate of its own authority; both files appear at once. Returns its serial number."""
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if key == "ec" else [key]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-keyout", dir / f"{stem}.key.new",
                    "-out", dir / f"{stem}.crt.new", "-days", "30", "-subj", f"/CN={HOST}",
                    "-addext", f"subjectAltName=DNS:{HOST}"], check=True, capture_output=True, timeout=60)
    os.chmod(dir / f"{stem}.key.new", 0o600)
    os.rename(dir / f"{stem}.key.new", dir / f"{stem}.key")
    os.rename(dir / f"{stem}.crt.new", dir / f"{stem}.crt")
    out = subprocess.run(["openssl", "x509", "-in", dir / f"{stem}.crt", "-noout", "-serial"], check=True,
                         capture_output=True, text=True, timeout=60).stdout
    return int(out.strip().partition("=")[2], 16)


def client(dot, version=None, session=None, ca=None):
    """A TLS connection; without `ca` the certificate is not checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if session is not None:
        context = session[0]
    raw = socket.create_connection(("127.0.0.1", dot), timeout=10)
    stream = context.wrap_socket(raw, server_hostname=HOST, session=session[1] if session else None)
    return context, stream


def frame(ident):
    query = struct.pack("!H", ident) + QUERY[2:]
    return struct.pack("!H", len(query)) + query


def receive(stream, n):
    data = b""
    while len(data) < n:
        more = stream.recv(n - len(data))
        if not more:
            raise OSError("closed early")
        data += more
    return data


def read_answer(stream):
    """The id of one good answer."""
    answer = receive(stream, struct.unpack("!H", receive(stream, 2))[0])
    ident, flags, _, n_answers = struct.unpack("!HHHH", answer[:8])
    if flags & 0x800F != 0x8000 or n_answers != 1:
        raise OSError(f"a bad answer: {answer.hex()}")
    return ident


def ask(stream, ident=1):
    stream.sendall(frame(ident))
    return read_answer(stream) == ident


def s_client(dot, *args):
    """What `openssl s_client` prints when it only connects."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{dot}", *args], input="", text=True,
                          capture_output=True, timeout=20)
    return done.stdout + done.stderr


# --- the parts ----------------------------------------------------------------------------------

def names(checks, daemon, dir):
    kdig = ["kdig", "-p", str(daemon.dot), "@127.0.0.1", f"+tls-ca={dir / 'tls.crt'}", "www.t.example"]
    code, out, err = e2e.run(*kdig, f"+tls-hostname={HOST}")
    checks.check("A5 kdig with the right name gets its answer", code == 0 and "192.0.2.1" in out, out + err)
    code, out, err = e2e.run(*kdig, "+tls-hostname=other.example")
    checks.check("A5 kdig with another name refuses us", code != 0 and "192.0.2.1" not in out, out + err)
    code, out, err = e2e.run("dig", "+tls", "+short", "-p", str(daemon.dot), "@127.0.0.1", "www.t.example")
    checks.equal("dig +tls", out.strip(), "192.0.2.1")


def agreements(checks, daemon):
    dot = daemon.dot
    checks.check("S2 ALPN: dot", "ALPN protocol: dot" in s_client(dot, "-alpn", "dot"))
    checks.check("S2 ALPN: dot among others", "ALPN protocol: dot" in s_client(dot, "-alpn", "h2,dot"))
    told = s_client(dot, "-alpn", "h2")
    checks.check("S2 ALPN: only what we do not speak here is refused", "no application protocol" in told, told)
    told = s_client(dot)
    checks.check("no ALPN is fine, TLS 1.3 is preferred", "New, TLSv1.3" in told, told)
    checks.check("S5 no early data", "Max Early Data: 0" in told or "Early data was not sent" in told, told)
    checks.check("S1 no compression", "Compression: NONE" in told, told)
    told = s_client(dot, "-tls1_2", "-groups", "P-256")
    checks.check("S1 TLS 1.2 with P-256", "New, TLSv1.2" in told and "Secure Renegotiation IS supported" in told, told)
    for what, args in (("TLS 1.1", ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]),
                       ("CBC", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA"]),
                       ("key exchange without a future", ["-tls1_2", "-cipher", "AES128-GCM-SHA256"]),
                       ("a group that is not ours", ["-tls1_3", "-groups", "P-521"])):
        told = s_client(dot, *args)
        checks.check(f"S1 no {what}", "Cipher is (NONE)" in told and "alert" in told, told)


def resume(checks, daemon):
    for version, name in ((ssl.TLSVersion.TLSv1_2, "1.2"), (ssl.TLSVersion.TLSv1_3, "1.3")):
        context, stream = client(daemon.dot, version)
        ask(stream)
        session = stream.session  # with TLS 1.3 the ticket came with the answer
        stream.close()
        _, again = client(daemon.dot, session=(context, session))
        checks.check(f"S5 TLS {name} resumes a session", again.session_reused and ask(again))
        again.close()
    checks.check("full and short handshakes are counted",
                 daemon.metric(r'pintle_dns_events_total\{event="tls_resumed"\}') == 2)


def framing(checks, daemon):
    _, stream = client(daemon.dot)
    stream.sendall(b"".join(frame(i) for i in range(1, N_PIPELINED + 1)))
    checks.equal("A3 pipelined queries in one record", [read_answer(stream) for _ in range(N_PIPELINED)],
                 list(range(1, N_PIPELINED + 1)))
    for octet in frame(9):
        stream.sendall(bytes([octet]))
    checks.equal("A3 one octet per record", read_answer(stream), 9)
    stream.sendall(frame(10) + frame(11)[:5])
    first = read_answer(stream)
    stream.sendall(frame(11)[5:])
    checks.equal("A3 a query cut between records", (first, read_answer(stream)), (10, 11))
    stream.sendall(frame(12))
    with socket.socket(fileno=os.dup(stream.fileno())) as raw:
        raw.shutdown(socket.SHUT_WR)  # below Python's TLS, which would forget its keys
    checks.equal("A3 half-close after the query", read_answer(stream), 12)
    stream.close()
    plain = socket.create_connection(("127.0.0.1", daemon.dot), timeout=10)
    plain.sendall(frame(1))
    checks.check("a plain query on the TLS port is no query", plain.recv(100)[:1] in (b"", b"\x15"))
    plain.close()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.connect(("127.0.0.1", daemon.dot))
    udp.settimeout(1)
    try:
        udp.send(QUERY)
        udp.recv(512)
        checks.check("a DoT listener has no UDP", False)
    except OSError as why:
        checks.check("a DoT listener has no UDP", isinstance(why, ConnectionRefusedError), why)
    udp.close()


def hello():
    """A ClientHello as Python's ssl begins with."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=HOST).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def half_way(checks, daemon):
    before, first = daemon.n_fds(), hello()
    reset = struct.pack("ii", 1, 0)
    for cut in range(N_EARLY):
        raw = socket.create_connection(("127.0.0.1", daemon.dot), timeout=10)
        raw.sendall(first if cut % 2 == 0 else first[:cut % len(first)])
        if cut % 3 == 0:
            raw.recv(1) if cut % 2 == 0 else None
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        raw.close()
    for _ in range(20):  # resets while answers are under way
        _, stream = client(daemon.dot)
        stream.sendall(frame(1) * 50)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        stream.close()
    _, stream = client(daemon.dot)
    checks.check("S3 clients that reset in the middle harm nobody", ask(stream))
    stream.close()
    checks.becomes("S3 and leave nothing behind", daemon.n_fds, lambda n: n <= before, 5)
    start = time.monotonic()
    idle = [socket.create_connection(("127.0.0.1", daemon.dot), timeout=10) for _ in range(N_HALF)]
    for i, raw in enumerate(idle):
        raw.sendall(first[:i * 10])
    _, stream = client(daemon.dot)
    checks.check("S3 others are served meanwhile", ask(stream) and time.monotonic() - start - starved.starved_s(start) < HANDSHAKE_S)
    stream.close()
    checks.becomes("S3 half a handshake is over after its deadline", daemon.n_fds, lambda n: n <= before, 10)
    took = time.monotonic() - start
    checks.check(f"S3 that is {HANDSHAKE_S} s", HANDSHAKE_S - 0.5 < took < IDLE_S + starved.starved_s(start), took)
    for raw in idle:
        raw.close()
    checks.check("S3 the same process", daemon.child.poll() is None)


def flood(checks, daemon, dir):
    """Handshakes by the hundred, all there at once: how many are answered before somebody else's turn comes.

    Each costs milliseconds, so that we need not be quick to count them. Returns the certificate's serial number."""
    first = hello()
    serial = make_certificate(dir, key="rsa:4096")
    checks.becomes("S4 a costly key is taken", lambda: serial_now(daemon), lambda seen: seen == serial, 8)

    def n_greeted(clients):
        return len(select.select(clients, [], [], 0)[0])

    def race(what, others_turn):
        """`others_turn` waits until the other one, who came last, is served."""
        clients = [socket.create_connection(("127.0.0.1", daemon.dot), timeout=10) for _ in range(N_FLOOD)]
        checks.becomes(f"S4 {what}: all have come in", lambda: daemon.metric("pintle_dns_streams_open"),
                       lambda n: n is not None and n >= N_FLOOD, 10)
        daemon.child.send_signal(signal.SIGSTOP)
        try:
            for raw in clients:
                raw.sendall(first)
            wait = others_turn()
        finally:
            daemon.child.send_signal(signal.SIGCONT)
        wait()
        n = n_greeted(clients)
        checks.check(f"S4 {what} does not wait for {N_FLOOD} handshakes", n < N_FLOOD / 2, n)
        checks.becomes(f"S4 {what}: but they are served, too", lambda: n_greeted(clients), lambda n: n == N_FLOOD, 10)
        for raw in clients:
            raw.close()

    _, stream = client(daemon.dot)
    ask(stream)

    def question():
        stream.sendall(frame(1))
        return lambda: read_answer(stream)

    def newcomer():
        raw = socket.create_connection(("127.0.0.1", daemon.dot), timeout=10, source_address=("127.0.0.2", 0))
        raw.sendall(first)
        return lambda: (raw.recv(1), raw.close())

    race("a question", question)
    race("a newcomer from elsewhere", newcomer)
    stream.close()
    return serial


class Load:
    """Clients that ask without a pause: some connect for each question, some stay."""

    def __init__(self, dot):
        self.dot, self.errors, self.n, self.serials = dot, [], 0, set()
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=run) for run in (self.connect, self.connect, self.stay, self.stay)]
        for thread in self.threads:
            thread.start()

    def guarded(self, step):
        while not self.is_over.is_set():
            try:
                step()
                self.n += 1
            except (OSError, struct.error) as why:
                self.errors.append(repr(why))
                return

    def connect(self):
        def step():
            _, stream = client(self.dot)
            ask(stream)
            stream.close()
        self.guarded(step)

    def stay(self):
        _, stream = client(self.dot)
        self.guarded(lambda: ask(stream))
        stream.close()

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def serial_now(daemon):
    """The serial number of the certificate that a new connection is shown."""
    _, stream = client(daemon.dot)
    shown = stream.getpeercert(binary_form=True)
    stream.close()
    out = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-serial"], input=shown, check=True,
                         capture_output=True, timeout=60).stdout
    return int(out.decode().strip().partition("=")[2], 16)


def certificates(checks, daemon, dir, serial):
    up = r'pintle_tls_certificate_up\{listen="[^"]*"\}'
    checks.equal("the certificate is the file's", serial_now(daemon), serial)
    context, stream = client(daemon.dot)
    ask(stream)
    session = (context, stream.session)
    load = Load(daemon.dot)
    for number, key in enumerate(("ec", "rsa:2048", "ec"), 1):
        serial = make_certificate(dir, key=key)
        checks.becomes(f"S6 change {number}: the next connection shows the new certificate",
                       lambda: (serial_now(daemon), ask(stream)), lambda seen: seen == (serial, True), 5)  # never idle
    _, again = client(daemon.dot, session=session)
    checks.check("S6 sessions from before the change are resumed", again.session_reused and ask(again))
    again.close()
    checks.check("S6 a connection from before goes on", ask(stream))
    stream.close()
    good = (dir / "tls.crt").read_text()
    (dir / "tls.crt").write_text(good[:200])
    checks.becomes("S6 a broken certificate is told", lambda: daemon.metric(up), lambda seen: seen == 0, 8)
    checks.equal("S6 and the one before is used on", serial_now(daemon), serial)
    checks.check("S6 with an error that names the file", re.search(r"error +certs: .*tls\.crt", daemon.log_text()),
                 daemon.log_text())
    (dir / "tls.crt").write_text(good)
    checks.becomes("S6 a mended one is taken", lambda: daemon.metric(up), lambda seen: seen == 1, 8)
    os.chmod(dir / "tls.key", 0o644)
    checks.becomes("S7 a key that others can read is not taken", lambda: daemon.metric(up), lambda seen: seen == 0, 8)
    os.chmod(dir / "tls.key", 0o600)
    checks.becomes("S7 until they cannot", lambda: daemon.metric(up), lambda seen: seen == 1, 8)
    loads = daemon.metric(r'pintle_tls_certificate_loads_total\{listen="[^"]*"\}')
    daemon.child.send_signal(signal.SIGHUP)
    checks.becomes("SIGHUP reads certificates again",
                   lambda: daemon.metric(r'pintle_tls_certificate_loads_total\{listen="[^"]*"\}'),
                   lambda seen: seen == loads + 1, 5)
    load.stop()
    checks.check(f"S6 none of {load.n} questions and handshakes failed meanwhile", load.errors == [] and load.n > 100,
                 f"{load.n} {load.errors[:3]}")
    checks.equal("one inotify instance watches certificates, zone files and clusters",
                 open_files(daemon).count("anon_inode:inotify"), 1)
    expiry = daemon.metric(r'pintle_tls_certificate_expiry_seconds\{listen="[^"]*"\}')
    checks.check("the metrics tell when it expires", 29 < (expiry - time.time()) / 86400 < 31, expiry)


def open_files(daemon):
    """What its descriptors are; connections may end while we look."""
    found = []
    for link in pathlib.Path(f"/proc/{daemon.child.pid}/fd").iterdir():
        try:
            found.append(os.readlink(link))
        except FileNotFoundError:
            pass
    return found


def refusals(checks, dir):
    config = dir / "pintle.yaml"

    def refused(what, wanted):
        for args in (["--check"], []):
            code, _, err = e2e.run(e2e.PINTLED, "--config", config, *args)
            checks.check(f"{what} {' '.join(args)}".strip(), code == 1 and wanted in err, f"{code} {err}")

    os.chmod(dir / "tls.key", 0o644)
    refused("S7 a key that others can read", f"key file '{dir / 'tls.key'}' has mode 0644")
    os.chmod(dir / "tls.key", 0o600)
    if os.geteuid() == 0:
        os.chown(dir / "tls.key", 12345, 0)
        refused("S7 a key of another user", "belongs to user 12345")
        os.chown(dir / "tls.key", 0, 0)
    shutil.copy(dir / "tls.key", dir / "own.key")
    make_certificate(dir, "other")
    shutil.copy(dir / "other.key", dir / "tls.key")
    refused("a key of another certificate", "do not belong together")
    shutil.copy(dir / "own.key", dir / "tls.key")
    os.rename(dir / "tls.crt", dir / "gone.crt")
    refused("a certificate that is not there", "tls.crt")
    os.rename(dir / "gone.crt", dir / "tls.crt")
    subprocess.run(["openssl", "pkey", "-in", dir / "own.key", "-aes128", "-passout", "pass:x", "-out",
                    dir / "tls.key"], check=True, capture_output=True, timeout=60)
    os.chmod(dir / "tls.key", 0o600)
    refused("a key behind a passphrase", "tls.key")
    shutil.copy(dir / "own.key", dir / "tls.key")
    checks.equal("all mended", e2e.run(e2e.PINTLED, "--config", config, "--check")[0], 0)


def all_parts(checks, dir):
    (dir / "c1").mkdir()
    (dir / "t.zone").write_text(ZONE)
    (dir / "pintle.yaml").write_text(CONFIG.format(plain=0, dot=0))
    serial = make_certificate(dir)
    refusals(checks, dir)
    daemon = TlsDaemon(dir, "tls")
    try:
        names(checks, daemon, dir)
        agreements(checks, daemon)
        resume(checks, daemon)
        framing(checks, daemon)
        half_way(checks, daemon)
        serial = flood(checks, daemon, dir)
        certificates(checks, daemon, dir, serial)
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)


if __name__ == "__main__":
    sys.exit(e2e.play("tls", all_parts))
