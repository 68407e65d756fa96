#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A process that takes another one's place, the sandbox on as it is by default: that no question is lost, and what comes
of it when something goes wrong.

    replacements.py [N]    N reloads under load, and N / 5 processes that take each other's place, and nothing else

Same form of report as run.py, whose tools it uses.
"""

import contextlib
import http.client
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

import reloads
import run
import sandbox
import tls
import wire
from admin_tls import authority, certificate
from reloads import LOST_S, SERVICE, WEB, config, loaded, metric, own, start
from run import SLOW, play
from ports import free_port  # noqa: E402

N_RELOADS = 20
STARTER = "pintled-starter"


def stat(pid):
    """Name, state and parent; None: it is not there."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, rest = text[text.index("(") + 1:].rsplit(")", 1)
    return name, rest.split()[0], int(rest.split()[1])


def is_there(pid):
    seen = stat(pid)
    return seen is not None and seen[1] != "Z"


def children(pid):
    found = [(int(path.name), stat(path.name)) for path in pathlib.Path("/proc").iterdir() if path.name.isdigit()]
    return {child: seen[0] for child, seen in found if seen is not None and seen[2] == pid}


def starter_of(pid):
    return next((child for child, name in children(pid).items() if name == STARTER), None)


def taken(daemon):
    """The processes that have taken over, one after the other."""
    return [int(pid) for pid in re.findall(r"process (\d+) has taken over", daemon.log_text())]


def begun(daemon):
    """Those that were to."""
    return [int(pid) for pid in re.findall(r"process (\d+) is to take over", daemon.log_text())]


def page(daemon):
    return json.loads(daemon.get("/api/v1/replace")[1])


def count(daemon, result):
    return metric(daemon, f'pintle_replacements_total{{result="{result}"}}')


class Program:
    """A program's file of our own, which other programs come in the place of."""

    def __init__(self, dir):
        self.original = run.PINTLED
        dir.mkdir()
        self.path = dir / "pintled"
        self.install(self.original)

    def install(self, source):
        fresh = self.path.with_name("fresh")
        shutil.copy(source, fresh)
        fresh.rename(self.path)

    def script(self, text, mode=0o755):
        fresh = self.path.with_name("fresh")
        fresh.write_text(f"#!/bin/sh\n{text}\n")
        fresh.chmod(mode)
        fresh.rename(self.path)


@contextlib.contextmanager
def program(dir, name):
    """Daemons that are started run it; those that took over are ended at the end."""
    mine = Program(dir / name)
    run.PINTLED = str(mine.path)
    try:
        yield mine
    finally:
        run.PINTLED = mine.original
        for path in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if path.name.isdigit() and os.readlink(path / "exe").startswith(str(mine.path)):
                    os.kill(int(path.name), signal.SIGKILL)


def replaced(checks, daemon, what, pid=None):
    """Another process takes over; its id."""
    n = len(taken(daemon))
    os.kill(pid or daemon.child.pid, signal.SIGUSR2)
    checks.becomes(what, lambda: len(taken(daemon)), lambda seen: seen > n, 90)
    return (taken(daemon) or [0])[-1]


def first_end(daemon):
    """The exit code of the first process, which ends by itself once it was replaced."""
    try:
        return daemon.child.wait(90 * SLOW)
    except subprocess.TimeoutExpired:
        daemon.stop(signal.SIGKILL)
        return "had to be killed"


def serves(checks, daemon, what="the one before goes on"):
    checks.equal(what, (daemon.dig(own("c2")).status, daemon.get("/readyz")[0]), ("NOERROR", 200))


# --- one after another -------------------------------------------------------------------------------


def sandboxed(checks, dir):
    """What the starter is, and that the next process has one of its own and a sandbox of its own."""
    daemon = start(dir)
    checks.becomes("served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")
    first = starter_of(daemon.child.pid)
    if not checks.check("there is a starter", first is not None, children(daemon.child.pid)):
        return
    checks.equal("it has standard input and outputs and one socket, and no listener",
                 sorted(os.listdir(f"/proc/{first}/fd")), ["0", "1", "2", "3"])
    for signo in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
        os.kill(first, signo)
    with wire.Stream(daemon.port, timeout_s=LOST_S) as stream:
        question = wire.query(own("c2"))
        checks.check("a connection is there", stream.ask(question))
        pid = replaced(checks, daemon, "signals that all processes of a service get are none of its business")
        checks.check("what was connected before goes on", stream.ask(question) and is_there(daemon.child.pid))
    checks.becomes("it ends with its daemon", lambda: is_there(first), lambda seen: not seen, 90)
    second = starter_of(pid)
    checks.check("the next process has one of its own", second not in (None, first), children(pid))
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    before = re.findall(r"app: sandbox: (.*)", daemon.log_text())
    checks.equal("it has the sandbox of the one before", (len(before), len(set(before))), (2, 1))
    checks.check("which is on, or says why not", "Seccomp:\t2" in text or "seccomp off (" in before[0], before)
    serves(checks, daemon, "it serves")
    third = replaced(checks, daemon, "it can be replaced", pid)
    serves(checks, daemon, "the third one serves")
    checks.equal("the first one ended well", first_end(daemon), 0)
    os.kill(third, signal.SIGTERM)
    checks.becomes("the last one ends, and its starter", lambda: is_there(third) or starter_of(third),
                   lambda seen: not seen, 90)


def users(checks, dir):
    """Root that becomes another user: the starter stays root, so that the next one reads what the first one read."""
    if os.getuid() != 0:
        return
    _, daemon = sandbox.start(dir, "user", "user: nobody")
    first = sandbox.serial_served(daemon.dot)
    pid = replaced(checks, daemon, "a daemon that has left root is replaced")
    nobody = str(pwd.getpwnam("nobody").pw_uid)
    checks.equal("the next one has left root, too", sandbox.status_of(pid)["Uid"], [nobody] * 4)
    checks.equal("its starter has not", sandbox.status_of(starter_of(pid))["Uid"], ["0"] * 4)
    checks.equal("what it serves is the same", sandbox.serial_served(daemon.dot), first)
    checks.equal("the first one ended well", first_end(daemon), 0)
    os.kill(pid, signal.SIGINT)
    checks.becomes("it ends", lambda: is_there(pid), lambda seen: not seen, 60)


LISTEN = """\
listen:
  - {{address: '127.0.0.1:{plain}'}}
  - {{address: '127.0.0.1:{dot}', tls: {{certificate: tls.crt, key: tls.key}}}}
  - {{address: '127.0.0.1:{doh}', https: {{certificate: tls.crt, key: tls.key}}}}
metrics: {{address: '127.0.0.1:{metrics}'}}
stateDir: ./state
defaultCluster: c2
"""
# Of a cluster that is drained, c1, and one of the asker's; others come and go.
ORDERS = (["c1", "c2"], ["c3", "c2", "c1"], ["c2", "c4", "c1"], ["c4", "c1", "c3", "c2"])
ROUNDS = 20  # then a connection is another one


def unchecked():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class DotLoad(reloads.Load):
    """The same over DoT."""

    transports = "DoT"

    def connection(self, _):
        with wire.Stream(self.port, unchecked().wrap_socket, LOST_S) as stream:
            for _ in range(self.rounds):
                self.round_tcp(stream)


class DohLoad(reloads.Load):
    """The same over DoH, one after the other."""

    transports = "DoH"

    def connection(self, _):
        https = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=LOST_S, context=unchecked())
        with contextlib.closing(https):
            for _ in range(self.rounds):
                for name in self.batch().values():
                    https.request("POST", "/dns-query", wire.query(name, ident=0), {"Content-Type": "application/dns-message"})
                    reply = https.getresponse()
                    data = reply.read()
                    if reply.status != 200:
                        raise OSError(f"{reply.status} over DoH")
                    self.judge(name, data)


class Watch(threading.Thread):
    """Asks for health and metrics all the time, each time over a connection of its own."""

    def __init__(self, address, paths):
        super().__init__()
        self.urls, self.n, self.lost = [f"http://{address}{path}" for path in paths], 0, []
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(0.01):
            url = self.urls[self.n % len(self.urls)]
            self.n += 1
            try:
                with urllib.request.urlopen(url, timeout=LOST_S) as reply:
                    reply.read()
            except (OSError, http.client.HTTPException) as err:
                self.lost.append(f"{url}: {err}")


def secured(dir):
    """A daemon that answers over all transports, and its port of DoH and address of metrics."""
    plain, dot, doh, metrics = (free_port() for _ in range(4))
    for i, name in enumerate(("c1", "c2", "c3", "c4")):
        if not (dir / "clusters" / name).exists():
            reloads.cluster(dir, name, i + 1)
    tls.make_certificate(dir)
    more = LISTEN.format(plain=plain, dot=dot, doh=doh, metrics=metrics)
    config(dir, ORDERS[0], more)
    return tls.TlsDaemon(dir, "secured"), doh, f"127.0.0.1:{metrics}", more


def under_load(checks, dir, n=None):
    """Reloads, and after every fifth another process with another file as its program, then a broken configuration."""
    n = n or max(5, N_RELOADS // SLOW)
    with program(dir, "bin") as mine:
        daemon, doh, metrics, more = secured(dir)
        checks.becomes("served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")
        checks.equal("something is drained by hand", daemon.ctl("drain", "service", "c1/apps/web")[0], 0)
        checks.becomes("its cluster shows no address", lambda: daemon.dig(WEB).data, lambda data: data == ["10.96.2.1"])
        pids, outcomes = [daemon.child.pid], []

        def step(i):
            config(dir, ORDERS[i % len(ORDERS)], f"{more}steering: {{ttl: {5 + i % 7}}}\n")
            outcomes.append(reloads.reload_wait(daemon)[0])
            if i % 5 != 4:
                return
            mine.install(mine.original)
            outcomes.append(daemon.ctl("replace", "--wait", "--timeout", "60s")[0])
            pids.append(page(daemon)["pid"])
            config(dir, ["c2"], more + "bogus: [\n")
            outcomes.append(reloads.reload_wait(daemon)[0] - 1)

        names = [WEB, own("c2"), "own-c2.apps.svc.cluster.local"]
        loads = [reloads.Load(daemon.port, names, ROUNDS), reloads.Load(daemon.port, names, ROUNDS),
                 DotLoad(daemon.dot, names, ROUNDS), DohLoad(doh, names, ROUNDS)]
        watches = [Watch(daemon.admin, ("/livez", "/readyz", "/metrics", "/api/v1/status")),
                   Watch(metrics, ("/livez", "/readyz", "/metrics"))]
        for watch in watches:
            watch.start()
        loaded(checks, daemon, names, step, n, loads)
        for watch in watches:
            watch.stopping.set()
        for watch in watches:
            watch.join()
        pages, lost = sum(watch.n for watch in watches), [what for watch in watches for what in watch.lost]
        checks.check(f"{pages} pages of health and metrics at both addresses: all came", not lost and pages > n, lost[:5])
        checks.check(f"{n} reloads and {n // 5} replacements under load: each in force and in place when it says so, broken files in"
                     " between change nothing", not any(outcomes) and len(set(pids)) == n // 5 + 1,
                     (outcomes, pids, daemon.log_text()[-1500:]))
        config(dir, ORDERS[0], more)
        checks.equal("the last one takes the last configuration", reloads.reload_wait(daemon)[0], 0)
        checks.equal("what is drained stays drained", daemon.dig(WEB).data, ["10.96.2.1"])
        checks.becomes("the ones before the last have ended", lambda: [is_there(pid) for pid in pids[:-1]],
                       lambda seen: not any(seen), seconds=90)
        (dir / "clusters" / "c2" / "later.yaml").write_text(SERVICE.format(name="later", ip="10.96.2.8", endpoint="10.2.0.8"))
        changed = time.time()
        checks.becomes("the state directory is the last one's", lambda: metric(daemon, "pintle_state_last_write_time_seconds"),
                       lambda seen: seen >= int(changed), seconds=60)
        checks.equal("the first one ended well", first_end(daemon), 0)
        os.kill(pids[-1], signal.SIGINT)
        checks.becomes("the last one ends", lambda: is_there(pids[-1]), lambda seen: not seen)


# --- what goes wrong -----------------------------------------------------------------------------------


def broken(checks, dir):
    """A next process that fails, in all ways, changes nothing."""
    with program(dir, "broken") as mine:
        daemon = start(dir)
        checks.becomes("served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")

        def fails(what, wanted):
            os.kill(daemon.child.pid, signal.SIGUSR2)
            checks.becomes(what, daemon.log_text, lambda text: re.search(wanted + ".*, this one goes on", text), 90)
            serves(checks, daemon)

        config(dir, ["c1", "c2"], "bogus: 1\n")
        fails("a configuration with a fault: told with its exit code",
              rf"process \d+ has ended \(code {run.run(run.PINTLED, '--check', '--config', dir / 'pintle.yaml')[0]}\)")
        config(dir, ["c1", "c2"])
        mine.script("kill -SEGV $$")
        fails("a crash: told with its signal", r"process \d+ has ended \(signal 11\) before it was ready")
        mine.script("exit 0", mode=0o644)
        fails("a file that is no program: told", rf'start "{mine.path}": .*ermission denied')
        mine.script("exec sleep 100000")
        n = len(begun(daemon))
        os.kill(daemon.child.pid, signal.SIGUSR2)
        checks.becomes("a program that is none of ours gets its time", lambda: len(begun(daemon)), lambda seen: seen == n + 1, 60)
        os.kill(daemon.child.pid, signal.SIGUSR2)
        checks.becomes("a second one at once is refused", daemon.log_text, lambda text: "is started: one is under way" in text, 60)
        next_one, starter = begun(daemon)[-1], starter_of(daemon.child.pid)
        checks.check("it is there", is_there(next_one))
        os.kill(daemon.child.pid, signal.SIGKILL)
        checks.becomes("kill -9 of the daemon leaves nobody", lambda: (is_there(next_one), is_there(starter)),
                       lambda seen: seen == (False, False), 60)
        daemon.stop()


def starterless(checks, dir):
    """The starter is killed: before, while the next process gets ready, and with its daemon."""
    with program(dir, "starterless"):
        daemon = start(dir)
        checks.becomes("served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")
        os.kill(starter_of(daemon.child.pid), signal.SIGKILL)
        checks.becomes("a starter that is killed is told", daemon.log_text,
                       lambda text: "the process that starts others has ended: none can take" in text, 60)
        os.kill(daemon.child.pid, signal.SIGUSR2)
        checks.becomes("then a replacement is refused, and it says why", daemon.log_text,
                       lambda text: "no other process is started: the process that starts others has ended" in text, 60)
        serves(checks, daemon)
        checks.equal("nothing of it is left", (children(daemon.child.pid), daemon.stop()), ({}, 0))

        def waiting(name):
            """A daemon whose next process waits for a cluster that is not there yet."""
            home = dir / name
            home.mkdir()
            daemon = start(home, ("c2", "c9"))
            checks.becomes("one of two clusters is served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")
            os.kill(daemon.child.pid, signal.SIGUSR2)
            checks.becomes("the next process waits for the other one", lambda: len(begun(daemon)), lambda seen: seen == 1, 60)
            checks.becomes("with its sockets", lambda: daemon.log_text().count("app: pintled"), lambda seen: seen == 2, 60)
            os.kill(starter_of(daemon.child.pid), signal.SIGKILL)
            return home, daemon, begun(daemon)[0]

        home, daemon, pid = waiting("alone")
        reloads.cluster(home, "c9", 9)
        checks.becomes("without its starter it takes over all the same", lambda: taken(daemon), lambda seen: seen == [pid], 90)
        checks.becomes("and serves", lambda: daemon.dig(own("c9")).status, lambda seen: seen == "NOERROR", 60)
        checks.equal("the first one ended well", first_end(daemon), 0)
        os.kill(pid, signal.SIGTERM)
        checks.becomes("it ends", lambda: is_there(pid), lambda seen: not seen, 60)
        home, daemon, pid = waiting("orphan")
        daemon.stop(signal.SIGKILL)
        reloads.cluster(home, "c9", 9)
        checks.becomes("without starter and daemon it ends once it is ready", lambda: is_there(pid), lambda seen: not seen, 90)
        checks.check("and says why", "does not wait for this one any more, ending" in daemon.log_text(), daemon.log_text()[-800:])


def ordered(checks, dir):
    """pintlectl replace, and what the admin side and metrics say of it."""
    with program(dir, "ordered") as mine:
        daemon = start(dir)
        first = daemon.child.pid
        checks.becomes("served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")
        checks.equal("at first there is nothing to tell", [page(daemon)[key] for key in ("pid", "state", "asked")], [first, "never", 0])
        code, out, err = daemon.ctl("replace", "--wait")
        version = page(daemon)["version"]
        second = page(daemon)["pid"]
        checks.equal("replace --wait: exit code 0, both processes and their versions", (code, out, err),
                     (0, f"process {second} (pintled {version}) has taken the place of {first} (pintled {version})\n", ""))
        checks.equal("the page is that of the next one", (second != first, page(daemon)["state"], count(daemon, "ok")), (True, "ok", 1))
        checks.equal("its starter is there", metric(daemon, "pintle_starter_up"), 1)
        mine.script("exit 3")
        checks.equal("a next one that fails: exit code 1 and why", daemon.ctl("replace", "--wait"),
                     (1, "", f"pintlectl: process {begun(daemon)[-1]} has ended (code 3) before it was ready\n"
                      f"pintlectl: process {second} goes on, its log says more\n"))
        checks.equal("it is counted", (count(daemon, "failed"), page(daemon)["state"]), (1, "failed"))
        mine.script("exec sleep 100000")
        code, out, _ = daemon.ctl("replace")
        checks.check("without --wait it says what to ask", code == 0 and "pintlectl replace --wait says" in out, out)
        checks.becomes("it is under way", lambda: page(daemon)["state"], lambda seen: seen == "running", 60)
        code, _, err = daemon.ctl("replace", "--wait", "--timeout", "1s")
        checks.equal("who waits for one that does not come is told: exit code 4", (code, err),
                     (4, "pintlectl: the replacement goes on after 1 s\n"))
        os.kill(begun(daemon)[-1], signal.SIGKILL)
        checks.becomes("a next one that is killed has failed", lambda: count(daemon, "failed"), lambda seen: seen == 2, 60)
        os.kill(starter_of(second), signal.SIGKILL)
        checks.becomes("that the starter has gone is a metric", lambda: metric(daemon, "pintle_starter_up"), lambda seen: seen == 0, 60)
        code, _, err = daemon.ctl("replace", "--wait")
        checks.check("refused: exit code 1 and why", code == 1 and "is started: the process that starts others has ended" in err, err)
        checks.equal("it is counted", (count(daemon, "refused"), page(daemon)["state"]), (2, "refused"))
        daemon.stop()
        os.kill(second, signal.SIGINT)
        checks.becomes("nobody runs: exit code 3", lambda: daemon.ctl("replace", "--wait")[0], lambda seen: seen == 3, 60)


def early(checks, dir):
    """Who asks the new process while the one before has not seen it yet, waits a moment and is not refused."""
    with program(dir, "early"):
        daemon = start(dir, ("c2", "c9"))
        checks.becomes("one of two clusters is served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")
        os.kill(daemon.child.pid, signal.SIGUSR2)
        checks.becomes("the next process waits for the other one", lambda: daemon.log_text().count("app: pintled"), lambda seen: seen == 2, 60)
        os.kill(daemon.child.pid, signal.SIGSTOP)
        reloads.cluster(dir, "c9", 9)
        checks.becomes("it takes over from one that does not move", lambda: daemon.log_text().count("in the place of"), lambda seen: seen == 1, 90)
        checks.equal("it is asked for a replacement", daemon.ctl("replace")[0], 0)
        shown = page(daemon)
        checks.equal("which is under way", [shown[key] for key in ("pid", "state", "refused")], [begun(daemon)[0], "running", 0])
        os.kill(daemon.child.pid, signal.SIGCONT)
        checks.becomes("and is made", lambda: len(taken(daemon)), lambda seen: seen == 2, 90)
        serves(checks, daemon, "which serves")
        checks.equal("the first one ended well", first_end(daemon), 0)
        os.kill(taken(daemon)[1], signal.SIGINT)
        daemon.stop()


def moved(checks, dir):
    """Keys that a reload leaves alone come with another process, the admin address among them: then nobody answers who
    asked for it at the old one."""
    dns, *admins = (free_port() for _ in range(3))
    for i, name in enumerate(("c1", "c2")):
        if not (dir / "clusters" / name).exists():
            reloads.cluster(dir, name, i + 1)

    def write(i, more=""):
        config(dir, ["c1", "c2"], f"listen: [{{address: '127.0.0.1:{dns}'}}]\nadmin: {{address: '127.0.0.1:{admins[i]}'{more}}}\n")

    def ctl(i, *args, scheme=""):
        return run.run(run.PINTLECTL, *args, "--admin", f"{scheme}127.0.0.1:{admins[i]}", "--ca", dir / "servers.crt")

    authority(dir, "servers")
    certificate(dir, "server", "servers", "serverAuth")
    with program(dir, "moved"), open(dir / "moved.log", "wb") as log:
        write(0)
        with subprocess.Popen([run.PINTLED, "--config", dir / "pintle.yaml"], stdin=subprocess.DEVNULL, stderr=log) as child:
            checks.equal("a daemon with an admin address of its file", ctl(0, "status", "--wait", "--timeout", "50s")[0], 0)
            write(1)
            code, out, err = ctl(0, "replace", "--wait", "--timeout", "50s")
            checks.check("another one: the old one is left, it says so: exit code 3",
                         code == 3 and out == "" and f"nobody listens on http://127.0.0.1:{admins[0]} any more" in err, (code, out, err))
            checks.equal("the one before has ended well", child.wait(90 * SLOW), 0)
        checks.equal("the next one is at the other one", ctl(1, "status", "--wait", "--timeout", "50s")[0], 0)
        write(0, ", tls: {certificate: server.crt, key: server.key}")
        checks.equal("one with TLS takes over", ctl(1, "replace", "--wait", "--timeout", "50s")[0], 3)
        checks.equal("it is at the first one, over TLS", ctl(0, "status", "--wait", "--timeout", "50s", scheme="https://")[0], 0)
        write(1)
        code, _, err = ctl(0, "replace", "--wait", "--timeout", "50s", scheme="https://")
        checks.check("which is named as it was asked for", code == 3 and f"nobody listens on https://127.0.0.1:{admins[0]} any more" in err,
                     (code, err))


def ended(checks, dir):
    """The end of a daemon is the end of the process that was to take its place."""
    with program(dir, "ended") as mine:
        daemon = start(dir)
        checks.becomes("served", lambda: daemon.dig(own("c2")).status, lambda seen: seen == "NOERROR")
        mine.script("exec sleep 100000")
        os.kill(daemon.child.pid, signal.SIGUSR2)
        checks.becomes("a next process waits", lambda: len(begun(daemon)), lambda seen: seen == 1, 60)
        checks.equal("the daemon ends well", daemon.stop(signal.SIGINT), 0)
        checks.becomes("so does the next one", lambda: is_there(begun(daemon)[0]), lambda seen: not seen, 60)


def main():
    if len(sys.argv) > 1:
        return play("replacements", lambda checks, dir: under_load(checks, dir, int(sys.argv[1])))
    return play("replacements", sandboxed, users, under_load, broken, starterless, ordered, early, moved, ended)


if __name__ == "__main__":
    sys.exit(main())
