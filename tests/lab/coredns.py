# SPDX-License-Identifier: Apache-2.0
"""A cluster's own DNS server: the real CoreDNS, pointed at Pintle as docs/guide.md tells it."""

import os
import re
import signal
import socket
import struct
import subprocess
import threading

import lab
import pintle

PORT = 53
STOP_SECONDS = 10
GUIDE = lab.ROOT / "docs" / "guide.md"
EXAMPLE = "192.0.2.53:5300"  # where Pintle is in docs/guide.md


def build_program():
    """The path of coredns: PINTLE_COREDNS, else what build.sh gives."""
    given = os.environ.get("PINTLE_COREDNS")
    if given:
        return given
    done = subprocess.run([lab.HERE / "build.sh", "coredns"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise lab.LabError("build.sh could not build coredns (its words are above)")
    return done.stdout.strip().splitlines()[-1]


def stub_block():
    """The block that docs/guide.md gives for CoreDNS, to the letter."""
    blocks = re.findall(r"^```corefile\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    found = [text for text in blocks if EXAMPLE in text]
    if len(found) != 1:
        raise lab.LabError(f"{GUIDE} has {len(found)} blocks that forward to {EXAMPLE}, not one")
    return found[0]


def kube_dns(cluster):
    """Where a cluster's DNS server stands: the tenth address of the Service range."""
    return f"10.{96 + cluster.number}.0.10"


class CoreDns:
    """One running CoreDNS, asked by the addresses of pods."""

    def __init__(self, stage, cluster, upstream, zones=(), block=None):
        """Forwards to `upstream` what docs/guide.md's block forwards, and zones beside it, or what
        another block does that is given."""
        self.stage = stage
        self.name = f"coredns-{cluster.name}"
        self.address = kube_dns(cluster)
        self.dir = stage.dir
        self.log = stage.dir / f"{self.name}.log"
        self.child = None
        self.corefile = self.dir / f"{self.name}.corefile"
        block = (block or stub_block()).replace(EXAMPLE, upstream)
        self.corefile.write_text(self._corefile(cluster, block, zones))

    def _corefile(self, cluster, block, zones):
        # outside a pod CoreDNS must be told what it finds by itself inside one
        access = f"kubeconfig {self.stage.lab.kubeconfig} {cluster.name}"
        bind = f"bind {self.address}"
        first, _, rest = block.partition("{\n")
        block = (f"{first}{' '.join(zones)} {{\n    {bind}\n"
                 + rest.replace("pods verified\n", f"pods verified\n        {access}\n"))
        return (f".:{PORT} {{\n    {bind}\n    errors\n"
                f"    kubernetes cluster.local {{\n        {access}\n    }}\n}}\n"
                f"{block}")

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                [build_program(), "-conf", str(self.corefile)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stage.daemons.append(self)
        lab.wait_until(f"{self.name} answers", lab.START_SECONDS, lambda: self.dig(
            self.address, "kubernetes.default.svc.cluster.local").rcode == "NOERROR",
            self._check_running)
        return self

    def _check_running(self):
        if self.child.poll() is not None:
            raise lab.LabError(f"{self.name} ended:\n{lab.tail(self.log)}")

    def log_text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return 0

    def dig(self, pod, name, rrtype="A", *options):
        """A question as the pod of that address asks it."""
        return pintle.dig(self.address, PORT, name, rrtype, "-b", pod, *options)


class Tap:
    """A DNS server that refuses everything and remembers the EDNS options of each question."""

    def __init__(self, address):
        self.seen = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, PORT))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                packet, asker = self._socket.recvfrom(4096)
            except OSError:
                return
            self.seen.append((asker[0], self._options(packet)))
            end = self._question_end(packet)
            flags = struct.pack("!HHHHH", 0x8005, 1, 0, 0, 0)  # a response, REFUSED
            self._socket.sendto(packet[:2] + flags + packet[12:end], asker)

    @staticmethod
    def _question_end(packet):
        at = 12
        while packet[at]:
            at += 1 + packet[at]
        return at + 5

    @classmethod
    def _options(cls, packet):
        """{code: bytes} of the OPT record, which stands alone behind the question."""
        at = cls._question_end(packet) + 11
        found = {}
        while at + 4 <= len(packet):
            code, n_bytes = struct.unpack_from("!HH", packet, at)
            found[code] = packet[at + 4:at + 4 + n_bytes]
            at += 4 + n_bytes
        return found

    def close(self):
        self._socket.close()
