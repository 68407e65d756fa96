# SPDX-License-Identifier: Apache-2.0
"""A pintled that answers the test zone over every transport it has: UDP, TCP, DoT, DoH."""

import pathlib
import re
import ssl
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
import starved  # noqa: E402

ZONE_NAME = "t.example"
ZONE = """\
$TTL 300
@         SOA   ns1 hostmaster 2026010101 7200 1800 86400 60
          NS    ns1
          NS    ns2
          HTTPS 1 . alpn=h2 port=8443
ns1       A     127.0.0.1
ns2       A     127.0.0.2
www       A     192.0.2.1
          AAAA  2001:db8::1
a.b.ent   A     192.0.2.2
alias     CNAME www
far       CNAME www.example.net.
*.wild    TXT   "wild"
x.y.wild  A     192.0.2.3
svc       SVCB  1 target port=53 alpn=dot mandatory=alpn
svcalias  SVCB  0 target
target    A     192.0.2.4
          AAAA  2001:db8::4
""" + "".join(f'big       TXT   "{i:03d} {"t" * 90}"\n' for i in range(25))

CONFIG = """\
apiVersion: pintle.dev/v1alpha1
kind: PintleConfig
listen:
  - {{address: "127.0.0.1:0"}}
  - {{address: "127.0.0.1:0", tls: {{certificate: tls.crt, key: tls.key}}}}
  - {{address: "127.0.0.1:0", https: {{certificate: tls.crt, key: tls.key}}}}
clusters: [{{name: c1, directory: c1}}]
zones: {{files: [{{zone: t.example, file: t.zone}}]}}
shutdown: {{lameduck: 0}}
{more}"""


def make_certificate(dir):
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", "/CN=dns.t.example", "-addext", "subjectAltName=DNS:dns.t.example,IP:127.0.0.1",
         "-keyout", dir / "tls.key", "-out", dir / "tls.crt"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl: {done.stderr}")
    (dir / "tls.key").chmod(0o600)


class Server(e2e.Daemon):
    """One pintled; `ports` maps udp, tcp, dot and doh to where each is answered."""

    def __init__(self, dir, name, more=""):  # pylint: disable=super-init-not-called
        (dir / "c1").mkdir(exist_ok=True)
        (dir / "t.zone").write_text(ZONE)
        make_certificate(dir)
        self.dir, self.out, self.log = dir, dir / f"{name}.out", dir / f"{name}.log"
        self.config = dir / f"{name}.yaml"
        self.config.write_text(CONFIG.format(more=more))
        self.ports, self.port, self.admin = {}, None, None
        with open(self.out, "wb") as out, open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                [e2e.PINTLED, "--config", str(self.config), "--admin", "127.0.0.1:0"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        starved.watch(self.child.pid)
        end = time.monotonic() + e2e.START_S
        while self.admin is None and self.child.poll() is None and time.monotonic() < end:
            time.sleep(e2e.POLL_S)
            admin = re.search(r"admin on http://(\S+)/", self.log_text())
            self.admin = admin.group(1) if admin else None
        found = re.findall(r"answering DNS on 127\.0\.0\.1:(\d+) \(([^)]*)\)", self.log_text())
        if self.admin is None or len(found) != 3:
            self.stop()
            raise RuntimeError(f"{name} did not start:\n{self.log_text()}")
        self.port, dot, doh = (int(port) for port, _ in found)
        self.ports = {"udp": self.port, "tcp": self.port, "dot": dot, "doh": doh}

    def wrap_tls(self, sock):
        """For wire.Stream: the connection as a TLS client's that trusts anybody."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(sock)


# Name of a transport and what makes dig use it.
TRANSPORTS = [("udp", ["+notcp"]), ("tcp", ["+tcp"]), ("dot", ["+tls"]), ("doh", ["+https"])]


def dig(server, transport, args, options=()):
    """What dig prints, by one of the transports."""
    done = subprocess.run(
        ["dig", "-r", "@127.0.0.1", "-p", str(server.ports[transport]), "+tries=1", "+time=10",
         *dict(TRANSPORTS)[transport], *args, *options],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
