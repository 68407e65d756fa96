#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pintled under a supervisor that speaks as systemd does: what it is told, the log it reads, and sockets that it hands
over and keeps. The unit's exposure, as systemd judges it. (`./x package` has systemd itself run it.)

Prints one line per check and, last, "N passed, N failed".
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)

UNIT = e2e.ROOT / "deploy" / "systemd" / "pintled.service"
SOCKETS = e2e.ROOT / "deploy" / "systemd" / "pintled.socket"
WAIT_S = 60
N_ASKED = 12
WATCHDOG_US = 1_500_000
LATE = bytes((192, 0, 2, 77))
# Descriptor 3 and those behind it; $LISTEN_PID is the process that gets them, $WATCHDOG_PID the one that is to be heard.
SHELL = 'LISTEN_PID=$$; WATCHDOG_PID=$$; export LISTEN_PID WATCHDOG_PID; exec "$@"'


class Supervisor:
    """Opens sockets, starts pintled with them, and hears what it says."""

    def __init__(self, dir):
        self.dir, self.told, self.news = dir, [], threading.Condition()
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.ear.bind(str(dir / "notify"))
        self.main, self.others = None, []  # the main process, as systemd knows it; what it would not listen to
        self.port, self.admin_port = e2e.ports.free_port(), e2e.ports.free_port()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """Its queue holds few messages: who waits with reading loses some."""
        while True:
            data, rest, _, _ = self.ear.recvmsg(4096, 256)
            text, pid = data.decode(), struct.unpack("3i", rest[0][2])[0]
            with self.news:
                if pid != self.main:
                    self.others.append((pid, text))
                mainpid = re.search(r"^MAINPID=(\d+)$", text, re.M)
                self.main = int(mainpid.group(1)) if mainpid else self.main
                self.told.append(text)
                self.news.notify()

    def open(self, kind, port):
        one = socket.socket(socket.AF_INET, kind)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            one.listen(64)
        return one

    def start(self, sockets, *args, what=None):
        """Sockets become descriptors 3, 4 and so on; standard error is the journal's."""
        fds = [os.dup(one.fileno()) for one in sockets]
        high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]

        def place():
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)

        env = dict(os.environ, NOTIFY_SOCKET=str(self.dir / "notify"), WATCHDOG_USEC=str(WATCHDOG_US),
                   LISTEN_FDS=str(len(sockets)))
        with open(self.dir / "log", "ab") as log:
            seen = os.fstat(log.fileno())
            env["JOURNAL_STREAM"] = f"{seen.st_dev}:{seen.st_ino}"
            child = subprocess.Popen(
                ["/bin/sh", "-c", SHELL, "sh", e2e.PINTLED, *(what or ["--dev"]), "--workers", "2", "--listen", f"127.0.0.1:{self.port}",
                 "--admin", f"127.0.0.1:{self.admin_port}", *args],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, preexec_fn=place,
                close_fds=False)
        self.main = child.pid
        e2e.starved.watch(child.pid)
        for fd in fds + high:
            os.close(fd)
        return child

    def hears_now(self, what):
        """Whether it has come since the last one that was heard."""
        with self.news:
            return any(what in text for text in self.told)

    def hears(self, what):
        """Whether a message that holds `what` comes, or has come since the last call."""
        def found():
            return any(what in text for text in self.told)

        with self.news:
            if not self.news.wait_for(found, WAIT_S * e2e.SLOW):
                return ""
            while what not in self.told[0]:
                del self.told[0]
            return self.told.pop(0)


def asked(port, transport):
    """How many of N_ASKED questions are answered."""
    good = 0
    for _ in range(N_ASKED):
        done = subprocess.run(["dig", "-r", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=5", "+short", transport,
                               "clusterset.local", "SOA"], capture_output=True, text=True, check=False)
        good += done.returncode == 0 and "hostmaster" in done.stdout
    return good


def end(child, signo=signal.SIGTERM):
    child.send_signal(signo)
    try:
        return child.wait(WAIT_S * e2e.SLOW)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return "had to be killed"


def told(checks, boss, child):
    ready = boss.hears("READY=1")
    checks.check("READY=1 comes with a status", "STATUS=answering on 127.0.0.1:" in ready, ready)
    checks.check("the status counts clusters", boss.hears("3 of 3 clusters listed"))
    checks.check("the watchdog hears of it, again and again",
                 boss.hears("WATCHDOG=1") and boss.hears("WATCHDOG=1") and boss.hears("WATCHDOG=1"))
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    child.send_signal(signal.SIGHUP)
    text = boss.hears("RELOADING=1")
    at = re.search(r"^MONOTONIC_USEC=(\d+)$", text, re.M)
    checks.check("SIGHUP is told as RELOADING=1 with the time, then READY=1",
                 at and int(at.group(1)) >= before and boss.hears("READY=1"), text)


def handed_over(checks, boss):
    udp, tcp, admin = (boss.open(socket.SOCK_DGRAM, boss.port), boss.open(socket.SOCK_STREAM, boss.port),
                       boss.open(socket.SOCK_STREAM, boss.admin_port))
    stray = boss.open(socket.SOCK_STREAM, e2e.ports.free_port())
    child = boss.start([udp, tcp, admin, stray])
    told(checks, boss, child)
    checks.equal("two workers answer over one UDP socket that was handed over", asked(boss.port, "+notcp"), N_ASKED)
    checks.equal("and over one TCP socket", asked(boss.port, "+tcp"), N_ASKED)
    code, text, error = e2e.run(e2e.PINTLECTL, "status", "--admin", f"127.0.0.1:{boss.admin_port}")
    checks.check("the admin page is on its socket", code == 0, text + error)
    log = (boss.dir / "log").read_text()
    stray_name = f"127.0.0.1:{stray.getsockname()[1]}"
    checks.check("a socket that nobody wants is told", f"a socket for {stray_name} was handed over" in log, log)
    checks.equal("it ends well", end(child), 0)
    checks.check("and says so before", boss.hears("STOPPING=1"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0\x0aclusterset\5local\0\0\6\0\1", ("127.0.0.1", boss.port))
        second = boss.start([udp, tcp, admin])
        boss.hears("READY=1")
        client.settimeout(WAIT_S)
        checks.equal("a question that came between two daemons is answered by the second", client.recv(512)[:2], b"\x12\x34")
    checks.equal("which answers as the first did", (asked(boss.port, "+notcp"), asked(boss.port, "+tcp")), (N_ASKED, N_ASKED))
    checks.equal("and ends well", end(second, signal.SIGINT), 0)
    for one in (udp, tcp, admin, stray):
        one.close()


def refused(checks, boss):
    """A configuration that a reload refuses is in the status until another one is good; what refuses a start is an error."""
    file = boss.dir / "pintle.yaml"
    good = "apiVersion: pintle.dev/v1alpha1\nkind: PintleConfig\nclusters: [{name: c1, directory: objects}]\n"
    (boss.dir / "objects").mkdir()
    (boss.dir / "log").unlink()
    file.write_text(good)
    child = boss.start([], what=["--config", file])
    boss.hears("1 of 1 clusters listed")
    file.write_text(good + "nonsense: 1\nmore: 1\n")
    child.send_signal(signal.SIGHUP)
    text = boss.hears("configuration refused")
    checks.check("the status says what a reload did not like, on one line",
                 re.fullmatch(r"READY=1\nSTATUS=answering on [^\n]*; configuration refused, as before: [^\n]*yaml:4:1: [^\n]*\n", text), text)
    file.write_text(good + "log: {level: debug}\n")
    child.send_signal(signal.SIGHUP)
    boss.hears("RELOADING=1")
    text = boss.hears("STATUS=")
    checks.check("and no more when the next one is good", text and "refused" not in text, text)
    lines = (boss.dir / "log").read_text().splitlines()
    checks.check("each line for the journal has its priority, and no time",
                 all(re.match(r"<[3467]>[a-z]+( [^ :]+)?: ", line) for line in lines), [line for line in lines if line[:1] != "<"][:3])
    checks.check("what was refused is an error there", any(re.match("<3>reload: nothing was changed", line) for line in lines), lines[-5:])
    child.send_signal(signal.SIGTERM)
    boss.hears("STOPPING=1")
    file.write_text(good)
    child.send_signal(signal.SIGHUP)
    checks.equal("SIGTERM: it ends after a while", child.wait(WAIT_S * e2e.SLOW), 0)
    log = (boss.dir / "log").read_text()
    checks.check("a reload in that time is done", "changed: log" in log.partition("SIGTERM")[2], log[-600:])
    checks.equal("and does not say that it does not end", (boss.hears_now("RELOADING=1"), boss.hears_now("READY=1")), (False, False))
    (boss.dir / "log").unlink()
    file.write_text(good + "nonsense: 1\nmore: 1\n")
    checks.equal("a start with it ends", boss.start([], what=["--config", file]).wait(WAIT_S * e2e.SLOW), 1)
    lines = (boss.dir / "log").read_text().splitlines()
    checks.check("with errors, line by line", len(lines) == 2 and all(line.startswith(f"<3>{file}:") for line in lines), lines)


def several(checks, boss):
    """One socket for each worker is a group of the kernel's; more would have nobody to read them."""
    group = []
    for _ in range(3):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", boss.port))
        group.append(one)
    child = boss.start(group)
    code = child.wait(WAIT_S * e2e.SLOW)
    log = (boss.dir / "log").read_text()
    checks.check("more sockets than workers are refused",
                 code == 1 and "more sockets were handed over" in log and "raise `workers`" in log, (code, log[-600:]))
    group.pop().close()
    child = boss.start(group)
    boss.hears("READY=1")
    checks.equal("with as many as workers each has its own, and TCP is opened beside them",
                 (asked(boss.port, "+notcp"), asked(boss.port, "+tcp")), (N_ASKED, N_ASKED))
    end(child)
    for one in group:
        one.close()


def replaced(checks, boss):
    """Another process in its place: the supervisor is told which one, by the one that it knows, and hears that one."""
    (boss.dir / "clusters" / "c1").mkdir(parents=True)
    udp, tcp = boss.open(socket.SOCK_DGRAM, boss.port), boss.open(socket.SOCK_STREAM, boss.port)
    child = boss.start([udp, tcp], what=["--clusters-dir", str(boss.dir / "clusters")])
    checks.check("a daemon with clusters is ready", boss.hears("READY=1"))
    boss.others.clear()
    child.send_signal(signal.SIGUSR2)
    text = boss.hears("MAINPID=")
    pid = int(re.search(r"^MAINPID=(\d+)$", text + "\nMAINPID=0", re.M).group(1))
    checks.check("SIGUSR2: the supervisor is told of another main process", pid not in (0, child.pid), text)
    checks.check("which says that it is ready", boss.hears("READY=1"))
    checks.check("and goes on to be heard by the watchdog", boss.hears("WATCHDOG=1") and boss.hears("WATCHDOG=1"))
    checks.equal("the one before ends well, without a word", (child.wait(WAIT_S * e2e.SLOW), boss.hears_now("STOPPING=1")), (0, False))
    checks.equal("sockets that were handed over go along", (asked(boss.port, "+notcp"), asked(boss.port, "+tcp")), (N_ASKED, N_ASKED))
    os.kill(pid, signal.SIGTERM)
    checks.check("the next one says that it ends", boss.hears("STOPPING=1"))
    checks.equal("nobody else spoke meanwhile", boss.others, [])
    checks.equal("who is main is the one that was named", boss.main, pid)
    udp.close()
    tcp.close()


class Resolver(threading.Thread):
    """Answers at once, but for names below late.example: these when told to."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port, self.late, self.news = self.socket.getsockname()[1], [], threading.Condition()
        self.start()

    def run(self):
        while True:
            data, peer = self.socket.recvfrom(4096)
            if b"\4late\7example\0" not in data.lower():
                self.answer(data, peer)
                continue
            with self.news:
                self.late.append((data, peer))
                self.news.notify()

    def answer(self, data, peer):
        end = data.index(b"\0", 12) + 5
        self.socket.sendto(data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + data[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + LATE, peer)

    def wait(self):
        """Whether somebody asks for a late name."""
        with self.news:
            return self.news.wait_for(lambda: self.late, WAIT_S * e2e.SLOW)

    def answer_late(self):
        with self.news:
            late, self.late = self.late, []
        for data, peer in late:
            self.answer(data, peer)


def is_there(pid):
    """Not so when it has ended and nobody has heard of it."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def reads(pid):
    """Whether it reads questions over UDP."""
    names = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/comm"):
        with contextlib.suppress(OSError):
            names.append(path.read_text())
    return "pintle-udp\n" in names


def awaited(what):
    end = time.monotonic() + WAIT_S * e2e.SLOW
    while not what() and time.monotonic() < end:
        time.sleep(e2e.POLL_S)
    return what()


class Succession:
    """A daemon with sockets of the supervisor, a resolver it asks, and a next process that waits for a cluster."""

    def __init__(self, boss, home):
        self.boss, self.home = boss, home
        (home / "c1").mkdir(parents=True)
        self.resolver = Resolver()
        self.answers_at = 0  # when the resolver does, by time.monotonic()
        (home / "pintle.yaml").write_text(
            "apiVersion: pintle.dev/v1alpha1\nkind: PintleConfig\nclusters: [{name: c1, directory: c1}, {name: c2, directory: c2}]\n"
            f"forward: [{{zone: example, to: ['127.0.0.1:{self.resolver.port}']}}]\nallowRecursion: [127.0.0.1/32]\nshutdown: {{lameduck: 1s}}\n")
        boss.port, boss.admin_port = e2e.ports.free_port(), e2e.ports.free_port()  # the one before may be about to end
        self.sockets = [boss.open(kind, boss.port) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
        self.n_logged = len((boss.dir / "log").read_text())
        boss.told.clear()
        self.first = boss.start(self.sockets, what=["--config", str(home / "pintle.yaml")])
        boss.hears("READY=1")
        self.first.send_signal(signal.SIGUSR2)
        awaited(lambda: self.log().count("app: pintled") == 2 and "is to take over" in self.log())
        self.next = int(re.search(r"process (\d+) is to take over", self.log()).group(1))

    def log(self):
        return (self.boss.dir / "log").read_text()[self.n_logged:]

    def list(self):
        """The next one has what it waits for."""
        (self.home / "c2").mkdir()

    def ends(self, pid, number):
        """Whether a question that waits for the resolver is answered by a process that was told to end meanwhile."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", self.boss.port))
            client.settimeout(5 * e2e.SLOW)
            client.send(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + bytes((2, 0x61, 0x61 + number)) + b"\4late\7example\0\0\1\0\1")
            self.resolver.wait()
            os.kill(pid, signal.SIGINT)
            awaited(lambda: not reads(pid))
            time.sleep(max(0, self.answers_at - time.monotonic()))
            self.resolver.answer_late()
            try:
                return client.recv(512).endswith(LATE)
            except OSError:
                return False

    def close(self):
        for pid in (self.first.pid, self.next):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.first.wait()
        awaited(lambda: not is_there(self.next))
        for one in self.sockets:
            one.close()


def reloaded(checks, one, _):
    """A next process that reads its configuration again says nothing before it is the main one. Then it is, and ends."""
    one.boss.others.clear()
    os.kill(one.next, signal.SIGHUP)
    checks.check("a reload of a next process that gets ready is done", awaited(lambda: "reload: in force" in one.log()), one.log())
    one.list()
    checks.check("it takes over", one.boss.hears(f"MAINPID={one.next}") and one.boss.hears("READY=1"))
    checks.equal("and said nothing before", one.boss.others, [])
    one.first.wait(WAIT_S * e2e.SLOW)
    return one.next


def starting(_checks, one, _):
    return one.first.pid


def drained(checks, one, _):
    """Its load balancers' time is over just after it is told a second time."""
    one.first.send_signal(signal.SIGTERM)
    checks.check("load balancers have time", awaited(lambda: "ending in 1000 ms" in one.log()), one.log())
    over_at = time.monotonic() + 1
    one.answers_at = over_at + 0.1
    time.sleep(0.8)
    return one.first.pid


def confirming(checks, one, _):
    """The one before hangs just when it is to tell the supervisor who goes on."""
    one.first.send_signal(signal.SIGSTOP)
    one.list()
    checks.check("the next one reads", awaited(lambda: "replace: in the place of" in one.log()), one.log())
    return one.next


def left(checks, boss):
    """The supervisor keeps the sockets, so whoever is told to end answers what it has taken: after replacements and within.
    It has half a second, which a machine that stands still may not give it: then once more."""
    for what, prepare in (("once it has taken another one's place", reloaded), ("while a next one gets ready", starting), ("as load balancers' time is over", drained),
                          ("when it has just taken over", confirming)):
        for number in range(5):
            one = Succession(boss, boss.dir / f"{prepare.__name__}{number}")
            pid = prepare(checks, one, number)
            is_answered = one.ends(pid, number)
            if prepare is starting:
                checks.check("a next one that was not ready is not wanted any more",
                             awaited(lambda one=one: not is_there(one.next)) and "is not wanted any more, this one ends" in one.log(), one.log())
            log = one.log()
            one.close()
            if is_answered:
                break
        checks.check(f"a process that ends {what} answers what a resolver was asked for", is_answered, log)


def unit(checks):
    code, text, error = e2e.run("systemd-analyze", "security", "--offline=true", "--threshold=10", "--no-pager", UNIT)
    level = re.search(r"exposure level for pintled\.service: ([\d.]+)", text)
    checks.check("systemd-analyze security: exposure of the unit is 1.0 at most",
                 code == 0 and level and float(level.group(1)) <= 1.0, text[-200:] + error)
    for path in (UNIT, SOCKETS):
        code, text, error = e2e.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path)
        # The program is not installed here; where it will be, the package's test looks.
        rest = [line for line in error.splitlines() if "is not executable" not in line]
        checks.check(f"systemd-analyze verify finds nothing in {path.name}", not rest, rest)


def all_parts(checks, dir):
    unit(checks)
    boss = Supervisor(dir)
    handed_over(checks, boss)
    several(checks, boss)
    refused(checks, boss)
    replaced(checks, boss)
    left(checks, boss)


if __name__ == "__main__":
    sys.exit(e2e.play("service", all_parts))
