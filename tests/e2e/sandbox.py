#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What pintled gives up at its start, as the kernel tells it, and that all it does later still works: other certificates,
other directories in the place of the first, state, programs where probes name some.

Prints one line per check and, last, "N passed, N failed".
"""

import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
import tls  # noqa: E402

CONFIG = """\
listen:
  - {{address: 127.0.0.1:{plain}}}
  - {{address: 127.0.0.1:{dot}, tls: {{certificate: tls.crt, key: tls.key}}}}
clusters: [{{name: c1, directory: current}}]
defaultCluster: c1
zones: {{files: [{{zone: corp.example, file: corp.zone}}]}}
stateDir: state
shutdown: {{lameduck: 0s}}
workers: 1
{more}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default}}
spec: {{clusterIP: {ip}, clusterIPs: [{ip}], ports: [{{name: http, port: 80}}]}}
"""
ZONE = "@ 60 IN SOA ns hostmaster {serial} 60 60 60 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.1\nwww 60 IN A {ip}\n"
NAME = "web.default.svc.cluster.local"
NET_BIND_SERVICE = 1 << 10


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {key: value.split() for key, value in re.findall(r"^(\w+):\t(.*)$", text, re.M)}


def sandbox_of(daemon):
    return json.loads(daemon.get("/api/v1/status")[1])["sandbox"]


def is_instrumented(daemon):
    return "sanitizer" in sandbox_of(daemon)


def certify(home):
    """A key of root's that a group may read, if that is who reads it."""
    tls.make_certificate(home)
    if os.getuid() == 0 and "user: nobody" in (home / "pintle.yaml").read_text():
        shutil.chown(home / "tls.key", 0, pwd.getpwnam("nobody").pw_gid)
        (home / "tls.key").chmod(0o640)


def start(dir, name, more="", plain=None):
    home = dir / name
    (home / "first").mkdir(parents=True)
    (home / "first" / "web.yaml").write_text(SERVICE.format(ip="10.96.0.1"))
    (home / "current").symlink_to("first")
    (home / "corp.zone").write_text(ZONE.format(serial=1, ip="192.0.2.2"))
    (home / "pintle.yaml").write_text(CONFIG.format(
        plain=plain or e2e.ports.free_port(), dot=e2e.ports.free_port(), more=more))
    certify(home)
    for path in (dir, home):
        path.chmod(0o755)
    return home, tls.TlsDaemon(home, "pintled")


def serial_served(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        with context.wrap_socket(plain) as stream:
            return hash(stream.getpeercert(True))


def given_up(checks, daemon):
    seen, said = status_of(daemon.child.pid), sandbox_of(daemon)
    checks.check("the log says what is on, as the status does", f"app: sandbox: {said}" in daemon.log_text(), said)
    checks.equal("no program gets more privileges", seen["NoNewPrivs"], ["1"])
    if is_instrumented(daemon):
        checks.check("a sanitizer has both off, and it says so", seen["Seccomp"] == ["0"] and "seccomp off (a sanitizer" in said, said)
        return
    checks.check("system calls are filtered", seen["Seccomp"] == ["2"] and "seccomp on" in said, (seen["Seccomp"], said))
    checks.check("landlock is on, or the kernel has none", re.search(r"landlock (ABI \d|off \(the kernel)", said), said)
    maps = pathlib.Path(f"/proc/{daemon.child.pid}/maps").read_text()
    checks.equal("no memory is written and run", [line for line in maps.splitlines() if re.match(r"\S+ .w.?x", line)], [])
    limits = pathlib.Path(f"/proc/{daemon.child.pid}/limits").read_text()
    checks.check("no core is dumped", re.search(r"^Max core file size +1 +1 ", limits, re.M), limits)


def goes_on(checks, home, daemon):
    checks.becomes("the first directory is served", lambda: daemon.dig(NAME).data, lambda seen: seen == ["10.96.0.1"], 60)
    (home / "second").mkdir()
    (home / "second" / "web.yaml").write_text(SERVICE.format(ip="10.96.0.2"))
    (home / "next").symlink_to("second")
    (home / "next").rename(home / "current")
    checks.becomes("a directory that came later is served", lambda: daemon.dig(NAME).data, lambda seen: seen == ["10.96.0.2"], 60)
    before = serial_served(daemon.dot)
    certify(home)
    daemon.child.send_signal(signal.SIGHUP)
    checks.becomes("another certificate is shown", lambda: serial_served(daemon.dot), lambda seen: seen != before, 60)
    e2e.replace(home / "corp.zone", "192.0.2.2", "192.0.2.3")
    e2e.replace(home / "corp.zone", " 1 60 60", " 2 60 60")
    checks.becomes("a zone file is read again", lambda: daemon.dig("www.corp.example").data, lambda seen: seen == ["192.0.2.3"], 60)
    checks.becomes("state is written", lambda: (home / "state" / "catalog.pintle").exists(), bool, 60)


def default(checks, dir):
    home, daemon = start(dir, "default")
    given_up(checks, daemon)
    goes_on(checks, home, daemon)
    checks.equal("it ends well", daemon.stop(), 0)
    checks.check("and nothing was refused meanwhile", "EACCES" not in daemon.log_text() and "EPERM" not in daemon.log_text(),
                 daemon.log_text()[-1500:])


def low_port():
    for port in range(600, 1000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            try:
                udp.bind(("127.0.0.1", port))
                tcp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port below 1024")


def user(checks, dir):
    """Without root there is nobody to leave: the user stays who it is."""
    is_root = os.getuid() == 0
    home, daemon = start(dir, "user", "user: nobody")
    seen = status_of(daemon.child.pid)
    checks.check("--user: root is gone for good, with all groups and capabilities",
                 (len(set(seen["Uid"])) == 1 and seen["Uid"][0] != "0" and seen["Groups"] == []) or not is_root, seen["Uid"])
    checks.equal("CapEff is 0", int(seen["CapEff"][0], 16) if is_root else 0, 0)
    goes_on(checks, home, daemon)
    kill = "" if is_instrumented(daemon) else "sandbox: {seccomp: kill}"
    checks.equal("it ends well as that user", daemon.stop(), 0)
    if is_root:
        _, daemon = start(dir, "port", f"user: nobody\n{kill}", plain=low_port())
        kept = int(status_of(daemon.child.pid)["CapEff"][0], 16)
        checks.equal("a port below 1024 keeps CAP_NET_BIND_SERVICE, and no other", kept, NET_BIND_SERVICE)
        checks.check("and is answered on", daemon.dig("www.corp.example").data == ["192.0.2.2"])
        checks.equal("it ends well without a call that kills", daemon.stop(), 0)
    code, _, error = e2e.run(e2e.PINTLED, "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--user", "no-such-user")
    checks.check("a user who does not exist is an error", (code == 1 and 'no user "no-such-user"' in error) or not is_root, error)


def choices(checks, dir):
    _, daemon = start(dir, "off", "sandbox: {seccomp: off, landlock: off, dumps: true}")
    seen, said = status_of(daemon.child.pid), sandbox_of(daemon)
    checks.check("off is off", seen["Seccomp"] == ["0"] and "seccomp off," in said and "landlock off," in said
                 and "dumps possible" in said, said)
    daemon.stop()
    _, daemon = start(dir, "programs", "health: {commands: [{name: yes, run: [/bin/true]}]}")
    said = sandbox_of(daemon)
    checks.check("where probes run programs, it says so", "programs may be run" in said or is_instrumented(daemon), said)
    daemon.stop()


if __name__ == "__main__":
    sys.exit(e2e.play("sandbox", default, user, choices))
