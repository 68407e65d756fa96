# SPDX-License-Identifier: Apache-2.0
"""How each server of the bench is configured, started on one core, watched and stopped."""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from ask import Asker
from data import write

START_LIMIT_S = 120
STOP_LIMIT_S = 5
REST_S = 2.0      # that long, with at most this share of a core: at rest
REST_SHARE = 0.04
PRIORITY = -10
PR_SET_PDEATHSIG = 1  # prctl(2)
CPU_CLOCK_OF_PROCESS = 2
LIBC = ctypes.CDLL(None)


class Missing(Exception):
    """A server that is not on this machine; the text says how it comes."""


class Failed(Exception):
    """A server that is here and does not do its work."""


def free_port():
    """A port of 127.0.0.1 that is free for UDP and TCP at this moment."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed("no free port")


def spawn(command, cores=None, **more):
    """
    Starts a child on these cores (None: all), ahead of other work where that is allowed.

    The child leads a session of its own: the kernel weighs sessions against each other, so that
    a nice value alone would count among our own children only. It does not outlive us.
    """
    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if cores:
            os.sched_setaffinity(0, cores)
        try:
            os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
            with open("/proc/self/autogroup", "w", encoding="ascii") as file:
                file.write(str(PRIORITY))
        except OSError:
            pass  # not root, or a kernel without it: the figures are noisier, not wrong
    return subprocess.Popen(command, start_new_session=True, preexec_fn=prepare, **more)


def family(pid):
    """The process and all that it started."""
    pids = [pid]
    for one in pids:
        for task in os.listdir(f"/proc/{one}/task"):
            try:
                with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as file:
                    pids += [int(child) for child in file.read().split()]
            except FileNotFoundError:  # a thread that has just ended
                continue
    return pids


def cpu_ns(pid):
    """
    User and system time of a process and its children, nanoseconds.

    The process's own CPU clock (clock_getcpuclockid(3)) counts threads that have ended, too: some
    servers have one for each connection.
    """
    return sum(time.clock_gettime_ns(~one << 3 | CPU_CLOCK_OF_PROCESS) for one in family(pid))


def pss_mib(pid):
    """Proportional set size of a process and its children, MiB."""
    total = 0
    for one in family(pid):
        with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as file:
            total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1)) / 1024
    return total


def output_of(command):
    """What a short command prints, both streams; empty when it cannot run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


class Server:
    """One process with one DNS port. Subclasses say what runs."""

    name = ""
    label = ""

    def __init__(self, root, cores):
        self.root = os.path.join(root, self.name)
        self.cores = cores
        self.port = free_port()
        self.process = None
        self.started_s = 0.0
        self.ready_s = 0.0
        os.makedirs(self.root)

    def command(self):
        """Argument vector."""
        raise NotImplementedError

    def environment(self):
        """Variables beside those that we have ourselves."""
        return {}

    def is_ready(self, probe):
        """Whether the probe name is answered with addresses."""
        with Asker(self.port, timeout_s=0.05) as asker:
            return bool(asker.ask(probe, tries=1)[1])

    def log_path(self):
        """Where both of the server's streams go."""
        return os.path.join(self.root, "log")

    def start(self, probe):
        """Starts the server and waits until it answers the probe name."""
        self.started_s = time.monotonic()
        with open(self.log_path(), "wb") as log:
            self.process = spawn(self.command(), self.cores, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, env={**os.environ, **self.environment()})
        while not self.is_ready(probe):
            if self.process.poll() is not None:
                raise Failed(f"{self.label} ended at once:\n{self.log_tail()}")
            if time.monotonic() - self.started_s > START_LIMIT_S:
                raise Failed(f"{self.label} does not answer {probe} after {START_LIMIT_S} s:\n"
                             f"{self.log_tail()}")
            time.sleep(0.02)
        self.ready_s = time.monotonic() - self.started_s

    def log_tail(self):
        """The last lines of the server's own log."""
        with open(self.log_path(), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-8:])

    def stop(self):
        """Ends the process that start() made, politely and then not."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.process = None

    def settle(self):
        """Waits until it is at rest: an answer may be there while other names are being made."""
        deadline_s = time.monotonic() + START_LIMIT_S
        before_ns, spent_ns = self.cpu_ns(), None
        while spent_ns is None or spent_ns > REST_SHARE * REST_S * 1e9:
            if time.monotonic() > deadline_s:
                raise Failed(f"{self.label} is not at rest after {START_LIMIT_S} s")
            time.sleep(REST_S)
            now_ns = self.cpu_ns()
            before_ns, spent_ns = now_ns, now_ns - before_ns

    def cpu_ns(self):
        """CPU time so far."""
        return cpu_ns(self.process.pid)

    def pss_mib(self):
        """Memory now."""
        return pss_mib(self.process.pid)


class Floor(Server):
    """The bare UDP echo of floor.c."""

    name = "floor"
    label = "floor"

    def __init__(self, root, cores, program, answer_bytes):
        super().__init__(root, cores)
        self.program = program
        self.answer_bytes = answer_bytes

    def command(self):
        return [self.program, "--port", str(self.port), "--bytes", str(self.answer_bytes)]

    def is_ready(self, probe):
        with Asker(self.port, timeout_s=0.05) as asker:
            return asker.ask_wire(probe, tries=1) is not None


class Gdnsd(Server):
    """gdnsd with a master file, or with plugin_weighted."""

    name = "gdnsd"

    def __init__(self, root, cores, zones=None, routes=None):
        super().__init__(root, cores)
        self.program = shutil.which("gdnsd") or shutil.which("gdnsd", path="/usr/sbin")
        if self.program is None:
            raise Missing("gdnsd is not installed (Debian: apt-get install gdnsd)")
        found = re.search(r"version (\S+)", output_of([self.program, "-V"]))
        self.label = f"gdnsd {found.group(1) if found else ''}".strip()
        os.makedirs(os.path.join(self.root, "zones"))
        plugins = ""
        for zone, text in (zones or {}).items():
            write(os.path.join(self.root, "zones", zone), text)
        if routes is not None:
            plugins = routes.write_gdnsd(self.root)
        write(os.path.join(self.root, "config"), f"""options => {{
  listen => [ 127.0.0.1:{self.port} ]
  udp_threads => 1
  tcp_threads => 1
  zones_rfc1035_threads => 1
  run_dir => {self.root}/run
  state_dir => {self.root}/state
}}
{plugins}""")

    def command(self):
        return [self.program, "-c", self.root, "start"]


class CoreDns(Server):
    """CoreDNS with its file plugin, or with one block of text instead of it."""

    name = "coredns"

    def __init__(self, root, cores, program, zones=None, block=None, tls=None):
        super().__init__(root, cores)
        self.program = program
        self.tls = tls
        found = re.search(r"CoreDNS-(\S+)", output_of([program, "-version"]))
        self.label = f"CoreDNS {found.group(1) if found else ''}".strip()
        origin, text = block or (None, "")
        for zone, master in (zones or {}).items():
            path = os.path.join(self.root, zone)
            write(path, master)
            text += f"file {path} {zone}\n  "
        heads = [f"{name}:{self.port}" for name in ([origin] if origin else zones)]
        write(os.path.join(self.root, "Corefile"), self.server(heads, text) + "".join(
            self.server([f"{scheme}{name}:{port}" for name in zones],
                        f"tls {tls.certificate} {tls.key}\n  {text}")
            for scheme, port in ((("tls://", tls.dot_port), ("https://", tls.doh_port))
                                 if tls else ())))

    @staticmethod
    def server(heads, text):
        """One server block."""
        return f"{' '.join(heads)} {{\n  bind 127.0.0.1\n  {text}\n}}\n"

    def command(self):
        return [self.program, "-conf", os.path.join(self.root, "Corefile")]

    def environment(self):
        return {"GOMAXPROCS": str(len(self.cores) if self.cores else os.cpu_count())}


class Pintle(Server):
    """pintled on a directory of clusters, or on what `source` names instead of it."""

    name = "pintle"
    label = "Pintle"

    def __init__(self, root, cores, program, data=None, source=None, tls=None, flags=()):
        super().__init__(root, cores)
        if not os.access(program, os.X_OK):
            raise Missing(f"{program} is not built (./x build)")
        self.program = program
        self.tls = tls
        self.admin_port = free_port()
        self.clusters_dir = os.path.join(self.root, "clusters")
        self.source = source or ["--clusters-dir", self.clusters_dir]
        self.flags = list(flags)
        if data is not None:
            data.write_manifests(self.clusters_dir)
            write(os.path.join(self.clusters_dir, "pintle.yaml"), self.config(data))

    def config(self, data):
        """What no flag can say."""
        listens = [f"{{address: 127.0.0.1:{self.port}}}"]
        for kind, transport, port in ((("tls", "dot", self.tls.dot_port),
                                       ("https", "doh", self.tls.doh_port)) if self.tls else ()):
            if self.tls.transport not in (None, transport):
                continue
            listens.append(f"{{address: 127.0.0.1:{port}, {kind}: "
                           f"{{certificate: {self.tls.certificate}, key: {self.tls.key}}}}}")
        return ("apiVersion: pintle.dev/v1alpha1\nkind: PintleConfig\n"
                f"listen: [{', '.join(listens)}]\n{data.config}")

    def command(self):
        listen = [] if self.tls else ["--listen", f"127.0.0.1:{self.port}"]
        return [self.program, *self.source, "--workers", "1", "--log-level", "warn", *listen,
                "--admin", f"127.0.0.1:{self.admin_port}", *self.flags]

    def refuses(self):
        """What this build says against its own command line; empty when it takes it."""
        done = subprocess.run([*self.command(), "--check"], capture_output=True, text=True,
                              timeout=60, check=False)
        return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()

    def is_ready(self, probe):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics",
                                        timeout=2) as page:
                synced = re.findall(r"^pintle_cluster_synced\{.*\} ([01])$",
                                    page.read().decode(), re.M)
            return set(synced) <= {"1"} and super().is_ready(probe)
        except (urllib.error.URLError, OSError):
            return False
